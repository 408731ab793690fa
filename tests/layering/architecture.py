#!/usr/bin/env python3
"""Draws who includes whom, from the includes: docs/architecture.svg.

    architecture.py [ROOT]           writes docs/architecture.svg
    architecture.py --check [ROOT]   exit code 1 if the picture there is not the one of the includes

A folder stands above those that it includes. Arrows that follow from others (a includes b, b includes c: a includes c) are left out.
"""
import pathlib
import sys

from check_includes import INCLUDE, OURS, SOURCES, owner

HALVES = ('compiler', 'runtime')
BOX_WIDTH, BOX_HEIGHT, GAP, ROW = 128, 30, 16, 68


def includes(root):
    """folder -> folders that it includes; of base/, compiler/, runtime/ and cli/ only."""
    graph = {}
    for top in ('base/', 'compiler/', 'runtime/', 'cli/'):
        for path in sorted((root / top).rglob('*')):
            if path.suffix not in SOURCES:
                continue
            user = owner(path.relative_to(root).as_posix())
            graph.setdefault(user, set())
            for included in INCLUDE.findall(path.read_text(encoding='utf-8')):
                if included.startswith(OURS) and owner(included) != user:
                    graph[user].add(owner(included))
    return graph


def components(graph):
    """folder -> name of the group of folders that include each other in a circle; mostly itself."""
    reach = {}

    def walk(start):
        seen, stack = set(), [start]
        while stack:
            for used in graph.get(stack.pop(), ()):
                if used not in seen:
                    seen.add(used)
                    stack.append(used)
        return seen

    for folder in graph:
        reach[folder] = walk(folder)
    return {f: min([f] + [g for g in reach[f] if f in reach.get(g, ())]) for f in graph}, reach


def reduced(graph):
    """The arrows that do not follow from others. Circles (there should be none) keep theirs."""
    group, reach = components(graph)
    arrows = set()
    for user, used_by in graph.items():
        for used in used_by:
            between = [o for o in used_by if o != used and group[o] != group[used] and group[o] != group[user]]
            if not any(used in reach[o] for o in between):
                arrows.add((user, used))
    return arrows


def levels(graph):
    """folder -> how many folders stand below it, at most."""
    group, _ = components(graph)
    level = {}

    def of(folder):
        if folder not in level:
            level[folder] = 0
            below = [of(u) for u in sorted(graph[folder]) if u in graph and group[u] != group[folder]]
            level[folder] = 1 + max(below) if below else 0
        return level[folder]

    for folder in sorted(graph):
        of(folder)
    return level


def draw(graph):
    level = levels(graph)
    rows = {}
    for folder in sorted(graph):
        rows.setdefault(level[folder], []).append(folder)
    top = max(rows)
    cell = BOX_WIDTH + GAP
    # The compiler to the left, the runtime to the right, what belongs to both between them.
    sides = {half: max((sum(f.split('/')[0] == half for f in names) for names in rows.values()), default=0) for half in HALVES}
    seam = GAP + sides['compiler'] * cell + BOX_WIDTH / 2
    width = seam + BOX_WIDTH / 2 + sides['runtime'] * cell + GAP
    height = (top + 1) * ROW + GAP
    place = {}
    for number, names in rows.items():
        y = GAP + (top - number) * ROW
        left = sorted(f for f in names if f.split('/')[0] == 'compiler')
        right = sorted(f for f in names if f.split('/')[0] == 'runtime')
        between = [f for f in names if f not in left and f not in right]
        for i, name in enumerate(left):
            place[name] = (seam - BOX_WIDTH / 2 - (len(left) - i) * cell, y)
        for i, name in enumerate(right):
            place[name] = (seam + BOX_WIDTH / 2 + GAP + i * cell, y)
        for i, name in enumerate(between):
            place[name] = (seam - BOX_WIDTH / 2 + i * cell, y)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" '
        'font-family="ui-monospace, monospace" font-size="12">',
        '<title>Which folder includes which</title>',
        '<desc>Made by tests/layering/architecture.py from the includes. A folder stands above those that it includes.</desc>',
        '<style>rect{stroke:#57606a;rx:4}.compiler{fill:#ddf4ff}.runtime{fill:#dafbe1}.other{fill:#fff8c5}'
        'path{fill:none;stroke:#8c959f;stroke-width:1}text{fill:#1f2328;text-anchor:middle}</style>',
        f'<rect x="0" y="0" width="{width:g}" height="{height:g}" fill="#ffffff" stroke="none"/>',
    ]
    for user, used in sorted(reduced(graph)):
        x1, y1 = place[user]
        x2, y2 = place[used]
        x1, y1, x2 = x1 + BOX_WIDTH / 2, y1 + BOX_HEIGHT, x2 + BOX_WIDTH / 2
        middle = (y1 + y2) / 2
        out.append(f'<path d="M{x1:g} {y1:g} C{x1:g} {middle:g} {x2:g} {middle:g} {x2:g} {y2:g}"/>')
    for folder, (x, y) in sorted(place.items()):
        kind = folder.split('/')[0]
        kind = kind if kind in HALVES else 'other'
        out.append(f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}"/>')
        label = folder if len(folder) <= 18 else folder.split('/')[-1]
        out.append(f'<text x="{x + BOX_WIDTH / 2:g}" y="{y + BOX_HEIGHT / 2 + 4:g}">{label}</text>')
    return '\n'.join(out + ['</svg>', ''])


def main(arguments):
    check = '--check' in arguments
    root = pathlib.Path(next((a for a in arguments if not a.startswith('-')), '.'))
    picture = draw(includes(root))
    target = root / 'docs' / 'architecture.svg'
    if not check:
        target.write_text(picture, encoding='utf-8')
        return 0
    if target.exists() and target.read_text(encoding='utf-8') == picture:
        return 0
    print('docs/architecture.svg is not what the includes say: python3 tests/layering/architecture.py writes it')
    return 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
