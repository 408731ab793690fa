#!/usr/bin/env python3
"""kinds.md names tests that exist, and tables that do.   check_kinds.py SOURCE_FOLDER"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
here = root / 'tests/field'
tests = set()
for source in root.glob('tests/**/*.cc'):
    for suite, name in re.findall(r'^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)', source.read_text(), re.M):
        tests.add(f'{suite}.{name}')
for listing in root.glob('tests/**/CMakeLists.txt'):
    tests.update(re.findall(r'add_test\(NAME (\S+)', listing.read_text()))
missing = []
named = re.findall(r'`(\w+\.\w+)`', (here / 'kinds.md').read_text())
for name in named:
    if name == 'name.json':
        continue
    exists = (here / name).exists() if name.endswith('.json') else name in tests
    if not exists:
        missing.append(name)
print(f'{len(set(named))} tests and tables are named')
if missing:
    sys.exit('kinds.md names what is not there: ' + ', '.join(sorted(set(missing))))
