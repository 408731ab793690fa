#!/usr/bin/env python3
"""Keeps the dependency rules of the tree: who may include whom, and one home for each third-party library.

    check_includes.py [ROOT]       checks a tree; each broken rule is one line, exit code 1
    check_includes.py --self-test  plants forbidden includes and looks whether each is found

It reads #include lines only; CMake's PRIVATE links keep the same rules for the linker.
"""
import pathlib
import re
import sys
import tempfile

# folder -> folders of ours that it may include, besides itself and base.
ALLOWED = {
    'base': [],
    'compiler/source': [],
    'compiler/abi': [],
    'compiler/diagnostics': ['compiler/source'],
    'compiler/ast': ['compiler/source'],
    'compiler/parse': ['compiler/source', 'compiler/diagnostics', 'compiler/ast'],
    'compiler/expand': ['compiler/source', 'compiler/diagnostics', 'compiler/ast', 'compiler/parse'],
    'compiler/regex': ['compiler/abi'],
    'compiler/format': ['compiler/source', 'compiler/diagnostics', 'compiler/ast', 'compiler/parse'],
    'compiler/migrate': ['compiler/diagnostics', 'compiler/format'],
    'compiler/model': ['compiler/abi', 'compiler/source'],
    'compiler/analysis': ['compiler/abi', 'compiler/model', 'compiler/diagnostics'],
    'compiler/routes': ['compiler/abi', 'compiler/model'],
    'compiler/expr': ['compiler/source', 'compiler/diagnostics', 'compiler/ast', 'compiler/abi', 'compiler/model', 'compiler/regex'],
    'compiler/testcase': ['compiler/diagnostics', 'compiler/ast', 'compiler/abi', 'compiler/model', 'compiler/expr'],
    'compiler/check': ['compiler/diagnostics', 'compiler/ast', 'compiler/model', 'compiler/expr', 'compiler/testcase'],
    'compiler/lower': ['compiler/abi', 'compiler/model'],
    'compiler/bundle': ['compiler', 'compiler/abi', 'compiler/model', 'compiler/regex', 'compiler/check',
                        'compiler/jit'],
    'compiler/jit': ['compiler/abi', 'compiler/model', 'compiler/lower'],
    'compiler': ['compiler/*'],                                        # compile.h, the driver
    'runtime/engine': ['compiler', 'compiler/abi', 'compiler/model'],  # data only; no sockets
    'runtime/dialect': ['compiler/abi', 'compiler/model'],
    'runtime/net': [],
    'runtime/http': ['compiler/abi', 'compiler/model'],
    'runtime/observe': ['runtime/engine', 'runtime/http', 'runtime/net', 'compiler', 'compiler/abi', 'compiler/model'],
    'runtime/proxy': ['runtime/engine', 'runtime/dialect', 'runtime/http', 'runtime/net', 'runtime/observe', 'compiler',
                      'compiler/abi', 'compiler/model'],
    'runtime/gateway': ['runtime/engine', 'runtime/http', 'runtime/net', 'runtime/observe', 'runtime/proxy', 'compiler/abi',
                        'compiler/model'],
    'runtime/tester': ['runtime/dialect', 'runtime/http', 'runtime/net', 'runtime/observe', 'runtime/gateway', 'compiler',
                       'compiler/abi', 'compiler/model'],
    'cli': ['runtime/*', 'compiler', 'compiler/*'],
    'examples': ['examples/*', 'runtime/net', 'runtime/http'],
    'bench': ['*'],
    'tests': ['*'],
}

# third-party headers -> the folders that may include them. Tests may not: they see our headers only.
HOMES = {
    'ANTLR': (r'antlr4-|Policy(Lexer|Parser)', ['compiler/parse']),
    'LLVM': (r'llvm(-c)?/', ['compiler/lower', 'compiler/jit']),
    'RE2': (r're2/', ['compiler/regex']),
    'llhttp': (r'llhttp\.h', ['runtime/http']),
    'zlib': (r'zlib\.h', ['runtime/http']),
    'zstd': (r'zstd(_errors)?\.h', ['runtime/http']),
    'libuv': (r'uv\.h|uv/', ['runtime/net']),
    'OpenSSL': (r'openssl/', ['base', 'runtime/net']),
    'simdjson': (r'simdjson\.h', ['runtime/dialect']),
    'yaml-cpp': (r'yaml-cpp/', ['compiler/migrate']),
    'CLI11': (r'CLI/', ['cli', 'examples']),
}

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^">]+)[">]', re.MULTILINE)
OURS = ('base/', 'compiler/', 'runtime/', 'cli/', 'examples/', 'tests/', 'bench/')
SOURCES = ('.h', '.cc', '.c', '.def', '.inc')


def owner(path):
    """The folder of the table that a file belongs to: 'runtime/net' for 'runtime/net/uv_transport.cc'."""
    parts = path.split('/')
    if parts[0] in ('compiler', 'runtime'):
        return '/'.join(parts[:2]) if len(parts) > 2 else parts[0]
    return parts[0]


def may_include(user, used):
    if user == used or used == 'base':
        return True
    for allowed in ALLOWED[user]:
        if allowed in ('*', used) or (allowed.endswith('/*') and used.startswith(allowed[:-1])):
            return True
    return False


def check(root, used_pairs=None):
    """Returns the broken rules of a tree, as sentences, and the number of files read. used_pairs: a set that hears who included whom."""
    problems = []
    files = 0
    for top in OURS:
        for path in sorted((root / top).rglob('*')):
            name = path.relative_to(root).as_posix()
            if path.suffix not in SOURCES or 'node_modules' in name:
                continue
            files += 1
            user = owner(name)
            if user not in ALLOWED:
                problems.append(f'{name}: {user} has no line in the table of tests/layering/check_includes.py')
                continue
            for included in INCLUDE.findall(path.read_text(encoding='utf-8')):
                if included.startswith(OURS):
                    used = owner(included)
                    if used_pairs is not None:
                        used_pairs.add((user, used))
                    if used not in ALLOWED:
                        problems.append(f'{name}: includes {included}, but {used} is no folder of the table')
                    elif not may_include(user, used):
                        problems.append(f'{name}: {user} may not include {used} ({included})')
                    continue
                if '/' not in included and (path.parent / included).exists():
                    problems.append(f'{name}: write "{included}" from the root of the repository')
                for library, (pattern, homes) in HOMES.items():
                    if re.match(pattern, included) and user not in homes:
                        problems.append(f'{name}: {library} may be included in {", ".join(homes)} only ({included})')
    return problems, files


def never_used(used_pairs):
    """What the table allows and nothing does: such a line is a door that was left open."""
    return [f'the table allows {user} to include {used}, and nothing does: take it out'
            for user, allowed in ALLOWED.items() for used in allowed if '*' not in used and (user, used) not in used_pairs]


def readme_rows(text):
    """folder -> what the table of a README says that it knows: `base`, `net`; of ours only."""
    rows = {}
    for line in text.splitlines():
        cells = [c.strip() for c in line.strip('|').split('|')]
        match = re.fullmatch(r'`([a-z_/]+)/`', cells[0]) if len(cells) == 3 else None
        if match:
            rows['runtime/' + match[1]] = {'runtime/' + name for name in re.findall(r'`([a-z_]+)`', cells[2])}
    return rows


def readme_problems(rows):
    """Where runtime/README.md's column "knows" is not what the table of this file allows."""
    problems = []
    for user, allowed in ALLOWED.items():
        if not user.startswith('runtime/'):
            continue
        known = {used for used in allowed if used.startswith('runtime/')}
        if user not in rows:
            problems.append(f'runtime/README.md has no row for {user}')
        elif rows[user] != known:
            problems.append(f'runtime/README.md says that {user} knows {sorted(rows[user])}, the table says {sorted(known)}')
    return problems


PLANTED = {  # file, its text -> a word that the finding must hold; None: it must be found lawful
    ('compiler/check/a.cc', '#include "runtime/engine/breaker.h"'): 'runtime/engine',
    ('compiler/lower/a.cc', '#include "compiler/parse/parse.h"'): 'compiler/parse',
    ('compiler/compile.cc', '#include "runtime/http/message.h"'): 'runtime/http',
    ('runtime/engine/a.h', '#include "runtime/net/transport.h"'): 'runtime/net',
    ('runtime/net/a.cc', '  #  include   "runtime/engine/breaker.h"'): 'runtime/engine',
    ('runtime/proxy/a.cc', '#include "compiler/jit/jit.h"'): 'compiler/jit',
    ('runtime/proxy/b.cc', '#include <uv.h>'): 'libuv',
    ('runtime/proxy/c.cc', '#include <llhttp.h>'): 'llhttp',
    ('compiler/check/b.cc', '#include <antlr4-runtime.h>'): 'ANTLR',
    ('compiler/format/a.cc', '#include "compiler/check/check.h"'): 'compiler/check',
    ('cli/migrate.cc', '#include <yaml-cpp/yaml.h>'): 'yaml-cpp',
    ('runtime/engine/b.cc', '#include "llvm/IR/Module.h"'): 'LLVM',
    ('compiler/model/a.cc', '#include <re2/re2.h>'): 'RE2',
    ('tests/compiler/a.cc', '#include <llvm/IR/Module.h>'): 'LLVM',
    ('base/a.h', '#include "runtime/net/transport.h"'): 'runtime/net',
    ('runtime/observe/a.cc', '#include "runtime/proxy/attempt.h"'): 'runtime/proxy',
    ('runtime/proxy/e.cc', '#include "runtime/gateway/worker.h"'): 'runtime/gateway',
    ('compiler/ast/a.h', '#include "base/check.h"'): None,
    ('runtime/newcomer/a.cc', '#include <vector>'): 'no line',
    ('runtime/net/uv_transport.cc', '#include <uv.h>\n#include "base/time.h"'): None,
    ('compiler/driver.cc', '#include "compiler/jit/jit.h"'): None,
    ('runtime/proxy/d.cc', '#include "compiler/compile.h"\n#include "runtime/engine/breaker.h"'): None,
}


def self_test():
    failures = 0
    for (name, text), expected in PLANTED.items():
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / name
            path.parent.mkdir(parents=True)
            path.write_text(text + '\n', encoding='utf-8')
            problems, files = check(pathlib.Path(folder))
        found = len(problems) == 1 and expected is not None and expected in problems[0]
        if files != 1 or (found if expected is None else not found) or (expected is None and problems):
            print(f'self-test: {name} with {text!r}: expected {expected}, found {problems}')
            failures += 1
    if not never_used(set()) or never_used({(u, a) for u, allowed in ALLOWED.items() for a in allowed}):
        print('self-test: a line of the table that nothing uses is not told from one that is used')
        failures += 1
    if not readme_problems({}) or len(readme_problems(readme_rows('| `net/` | sockets | `engine` |'))) < 2:
        print('self-test: a README that says something else is not found')
        failures += 1
    print(f'self-test: {len(PLANTED) - failures} of {len(PLANTED)} planted includes judged rightly')
    return 1 if failures else 0


def main():
    if sys.argv[1:] == ['--self-test']:
        return self_test()
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    used_pairs = set()
    problems, files = check(root, used_pairs)
    problems += never_used(used_pairs)
    readme = root / 'runtime' / 'README.md'
    problems += readme_problems(readme_rows(readme.read_text(encoding='utf-8') if readme.exists() else ''))
    for problem in problems:
        print(problem)
    print(f'layering: {files} files, {len(problems)} broken rules')
    if files == 0:
        print(f'layering: no source under {root}: is that the root of the repository?')
    return 1 if problems or files == 0 else 0


if __name__ == '__main__':
    sys.exit(main())
