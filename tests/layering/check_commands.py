#!/usr/bin/env python3
"""The tables of places in runtime/README.md: which file of the engine decides each command and which of the proxy carries it out, as the sources
have it; and where to look for what, of which each function must stand in the file that is named for it.

    check_commands.py [ROOT]          exit code 1 where the table is not what the sources say
    check_commands.py [ROOT] --write  writes it
    check_commands.py --self-test
"""
import pathlib
import re
import sys

BEGIN = '<!-- made by tests/layering/check_commands.py --write -->'
END = '<!-- end -->'
WHAT = re.compile(r'using Command = std::variant<(.*?)>;', re.S)


def table(root):
    """The lines of the table, and what is wrong with the sources: a command that nobody decides or carries out, or two do."""
    events = (root / 'runtime/engine/exchange_events.h').read_text(encoding='utf-8')
    names = [n for n in re.findall(r'\w+', WHAT.search(events)[1]) if not n.startswith('Record')]

    def files(folder, pattern):
        return sorted(p.name for p in (root / folder).glob('*.cc') if re.search(pattern, p.read_text(encoding='utf-8')))
    lines = ['| command | decided in `engine/` | carried out in `proxy/` |', '|---|---|---|']
    problems = []
    for name in names:
        deciders = files('runtime/engine', rf'\bEmit\({name}\{{')
        deeds = files('runtime/proxy', rf'void Exchange::On\(const engine::{name}&')
        if name == 'SendError':
            deciders = sorted({*deciders, *files('runtime/engine', r'\bEmit\(ErrorFor\(')})
        if not deciders or len(deeds) != 1:
            problems.append(f'{name}: decided in {deciders or "no file"}, carried out in {deeds or "no file"}')
        lines.append(f'| `{name}` | {", ".join(f"`{d}`" for d in deciders)} | {", ".join(f"`{d}`" for d in deeds)} |')
    return lines, problems


def parts(text):
    begin = text.index(BEGIN) + len(BEGIN)
    return text[:begin], text[begin:text.index(END, begin)], text[text.index(END, begin):]


def wrong_places(root, readme):
    """What the table `Where to look` names and the sources don't have: `folder/file` followed by `Function`, `Function`…"""
    part = readme[readme.index('<!-- places -->'):]
    part = part[:part.index(END)]
    problems, named = [], 0
    for cell in re.findall(r'`[\w/]+\.\w+` (?:`\w+`(?:, )?)+', part):
        file, *functions = re.findall(r'`([^`]+)`', cell)
        path = root / 'runtime' / file
        text = path.read_text(encoding='utf-8') if path.exists() else ''
        for function in functions:
            named += 1
            if not re.search(rf'^\w[^;\n]*\b{function}\b', text, re.M):
                problems.append(f'runtime/README.md: {file} has no {function}')
    if named < 20:
        problems.append(f'runtime/README.md: only {named} places are read from the table')
    return problems


def self_test():
    root = pathlib.Path(__file__).resolve().parents[2]
    lines, problems = table(root)
    wrong = [line.replace('exchange_holdings.cc', 'exchange_start.cc') for line in lines]
    good = not problems and wrong != lines and any('`ReleasePlace` | `exchange_holdings.cc` | `exchange_waits.cc`' in line for line in lines)
    readme = (root / 'runtime/README.md').read_text(encoding='utf-8')
    moved = readme.replace('`engine/exchange_holdings.cc` `GiveBackPlace`', '`engine/exchange_start.cc` `GiveBackPlace`')
    good = good and moved != readme and not wrong_places(root, readme) and 'runtime/README.md: engine/exchange_start.cc has no GiveBackPlace' in wrong_places(root, moved)
    print('self-test:', 'a table that says another file is told' if good else f'failed: {problems}, {wrong_places(root, readme)}')
    return 0 if good else 1


def main():
    if '--self-test' in sys.argv:
        return self_test()
    named = [a for a in sys.argv[1:] if not a.startswith('--')]
    root = pathlib.Path(named[0]) if named else pathlib.Path(__file__).resolve().parents[2]
    readme = root / 'runtime/README.md'
    lines, problems = table(root)
    before, now, after = parts(readme.read_text(encoding='utf-8'))
    problems += wrong_places(root, before + now + after)
    wanted = '\n' + '\n'.join(lines) + '\n'
    if '--write' in sys.argv:
        readme.write_text(before + wanted + after, encoding='utf-8')
    elif now != wanted:
        problems.append('runtime/README.md: the table of commands is not what the sources say; tests/layering/check_commands.py --write writes it')
    for problem in problems:
        print(problem)
    print(f'commands: {len(lines) - 2} in the table, {len(problems)} problems')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
