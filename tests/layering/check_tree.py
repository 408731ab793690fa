#!/usr/bin/env python3
"""Keeps what belongs to one machine out of the tree: paths of somebody's computer and hosts of package registries.

    check_tree.py [ROOT]       checks a tree; each finding is one line, exit code 1
    check_tree.py --self-test  looks whether planted ones are found

Where packages come from is a setting of the machine (its apt sources, its npm configuration), never of this tree.
"""
import os
import pathlib
import re
import sys

# Written in pieces, so that this file does not find itself.
PATHS = re.compile(r'(?<![\w./~})-])/(?:(?:' + '|'.join(['wo' + 'rk', 't' + 'mp', 'ro' + 'ot']) + r')(?![\w.-])|(?:' +
                   '|'.join(['ho' + 'me', 'Us' + 'ers']) + r')/\w)')  # /home alone is a path of many a web server
HOSTS = re.compile('|'.join(re.escape(host) for host in [
    'registry.' + 'npmjs', 'registry.' + 'yarnpkg', 'npm' + 'mirror', 'deb.' + 'debian.org', 'security.' + 'debian.org',
    'archive.' + 'ubuntu', 'pypi.' + 'org', 'python' + 'hosted', 'crates.' + 'io', 'proxy.' + 'golang', 'node' + 'source']))
SKIPPED = {'.git', 'build', 'node_modules', '__pycache__'}


def findings(text):
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        for pattern, what in ((PATHS, 'a path of one machine'), (HOSTS, 'the host of a package registry')):
            match = pattern.search(line)
            if match:
                found.append((number, what, match.group()))
    return found


def check(root):
    problems = []
    files = 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - SKIPPED)
        for name in sorted(set(names) - SKIPPED):  # .git is a file in a worktree
            path = pathlib.Path(folder) / name
            try:
                text = path.read_text(encoding='utf-8')
            except UnicodeDecodeError:
                if path.suffix in ('.bin', '.png', '.ico', '.woff2'):
                    continue
                problems.append(f'{path.relative_to(root)}: not UTF-8')
                continue
            except OSError:
                continue
            files += 1
            for number, what, text_found in findings(text):
                problems.append(f'{path.relative_to(root)}:{number}: {what}: {text_found}')
    return problems, files


def self_test():
    bad = ['see /wo' + 'rk/main', '"/t' + 'mp/x"', 'cd /ro' + 'ot', 'in /ho' + 'me/ann', 'from http://deb.' + 'debian.org/debian',
           '"resolved": "https://registry.' + 'npmjs.org/a"']
    good = ['GET /api/tags', 'a/work/b', 'build/tmp/x', '/usr/share/keyrings', 'http://127.0.0.1:11434/root/x', '/homepage',
            'starts_with "/ho' + 'me/"']
    wrong = [line for line in bad if not findings(line)] + [line for line in good if findings(line)]
    for line in wrong:
        print(f'self-test: judged wrongly: {line}')
    print(f'self-test: {len(bad) + len(good) - len(wrong)} of {len(bad) + len(good)} lines judged rightly')
    return 1 if wrong else 0


def main():
    if sys.argv[1:] == ['--self-test']:
        return self_test()
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    problems, files = check(root)
    for problem in problems:
        print(problem)
    print(f'tree: {files} files, {len(problems)} findings')
    return 1 if problems or files == 0 else 0


if __name__ == '__main__':
    sys.exit(main())
