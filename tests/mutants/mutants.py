#!/usr/bin/env python3
"""Would the unit tests notice? Negates each condition and drops each call of the objects of the request path, one at a time, and runs
their unit tests on each.

    mutants.py [BUILD] [--file NAME] [--list]      BUILD: default build/dev, where request_path_test is built

All mutants of a file are compiled at once, each behind a switch that an environment variable turns: a run costs a second, not a
compilation. Prints the survivors with their lines; exit code 1 where fewer than 90 % are killed, or one survives that survivors.txt
does not explain.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FILES = ['answer_framing', 'client_answer', 'request_body', 'upstream_answer']
TARGET = 'request_path_test'
LEAST_KILLED = 0.9

SWITCH = '''namespace mutants {
inline int Current() {
  static const int current = [] {
    const char* text = std::getenv("BREAKWATER_MUTANT");
    return text == nullptr ? -1 : std::atoi(text);
  }();
  return current;
}
inline bool Negate(int id, bool condition) { return Current() == id ? !condition : condition; }
inline bool Does(int id) { return Current() != id; }
}  // namespace mutants
'''
CALL = re.compile(r'^(\s+)((?:[A-Za-z_]\w*(?:::|\.|->))*[A-Za-z_]\w*\(.*\));(\s*//.*)?$')
KEYWORDS = ('return', 'if', 'for', 'while', 'switch', 'case', 'static_assert', 'BW_CHECK', 'BW_DCHECK')


def closing(text, start):
    """Index of the bracket that closes the one at `start`; -1 if the line ends first."""
    depth = 0
    quote = None
    i = start
    while i < len(text):
        c = text[i]
        if quote:
            if c == '\\':
                i += 1
            elif c == quote:
                quote = None
        elif c in '"\'':
            quote = c
        elif c == '(':
            depth += 1
        elif c == ')':
            depth -= 1
            if depth == 0:
                return i
        i += 1
    return -1


def mutate(text, first):
    """The text with all its mutants behind switches, and {number: (line, what)}; numbers begin at `first`."""
    mutants = {}
    out = []
    in_function = False
    for number, line in enumerate(text.split('\n'), 1):
        if re.match(r'^\S.*\{$', line) and not line.startswith(('namespace', 'struct', 'class', 'enum')):
            in_function = True
        if line == '}':
            in_function = False
        if not in_function:
            out.append(line)
            continue
        match = re.match(r'^(\s*(?:\} else )?if )\(', line)
        if match:
            end = closing(line, len(match.group(1)))
            condition = line[len(match.group(1)) + 1:end]
            if end > 0 and ';' not in condition and not re.match(r'(const )?auto\b|constexpr', condition):
                identity = first + len(mutants)
                mutants[identity] = (number, f'negated: {condition}')
                rest = line[end + 1:]
                call = re.match(r'^ ([^;{}]*\(.*\));(.*)$', rest)
                if call and not call.group(1).startswith(('return', 'throw')) and ' = ' not in call.group(1):
                    dropped = first + len(mutants)
                    mutants[dropped] = (number, f'dropped: {call.group(1)}')
                    rest = f' {{ if (mutants::Does({dropped})) {call.group(1)}; }}{call.group(2)}'
                line = f'{match.group(1)}(mutants::Negate({identity}, static_cast<bool>({condition}))){rest}'
            out.append(line)
            continue
        truth = re.match(r'^(\s*const bool \w+ = )([^;]*);(.*)$', line) or re.match(r'^(\s*while \()(.*)(\) \{)$', line)
        if truth:
            identity = first + len(mutants)
            mutants[identity] = (number, f'negated: {truth.group(2)}')
            end = truth.group(3) if line.lstrip().startswith('while') else ';' + truth.group(3)
            out.append(f'{truth.group(1)}mutants::Negate({identity}, static_cast<bool>({truth.group(2)})){end}')
            continue
        call = CALL.match(line)
        if call and not call.group(2).startswith(KEYWORDS) and closing(call.group(2), call.group(2).index('(')) == len(call.group(2)) - 1:
            identity = first + len(mutants)
            mutants[identity] = (number, f'dropped: {call.group(2)}')
            line = f'{call.group(1)}if (mutants::Does({identity})) {call.group(2)};'
        out.append(line)
    return '\n'.join(out), mutants


def build(build_dir, files, folder):
    """The test with all mutants of the files in it, and {number: (file, line, what)}."""
    commands = {c['file']: c for c in json.loads((build_dir / 'compile_commands.json').read_text())}
    mutants = {}
    objects = []
    for name in files:
        source = ROOT / 'runtime' / 'proxy' / f'{name}.cc'
        text, found = mutate(source.read_text(encoding='utf-8'), len(mutants))
        mutants.update({i: (source.relative_to(ROOT).as_posix(), *where) for i, where in found.items()})
        copy = folder / f'{name}.cc'
        copy.write_text('#include <cstdlib>\n' + SWITCH + f'#line 1 "{source.relative_to(ROOT).as_posix()}"\n' + text, encoding='utf-8')
        command = commands[str(source)]
        words = [w for w in shlex.split(command['command']) if w not in ('-Werror',)]
        target = folder / f'{name}.o'
        words[words.index('-o') + 1] = str(target)
        words[words.index(str(source))] = str(copy)
        for flag in ('-MF', '-MT'):
            if flag in words:
                del words[words.index(flag):words.index(flag) + 2]
        subprocess.run([w for w in words if w != '-MD'], check=True, cwd=command['directory'])
        objects.append(str(target))
    link = subprocess.run(['ninja', '-C', str(build_dir), '-t', 'commands', '-s', f'tests/runtime/proxy/{TARGET}'], check=True,
                          capture_output=True, text=True).stdout.strip().split('\n')[-1]
    link = link.split('&&')[1] if link.startswith(':') else link
    words = shlex.split(link)
    binary = folder / TARGET
    words[words.index('-o') + 1] = str(binary)
    first_archive = next(i for i, w in enumerate(words) if w.endswith('.a'))
    subprocess.run(words[:first_archive] + objects + words[first_archive:], check=True, cwd=build_dir)  # ours are found before the archive's
    return binary, mutants


def is_killed(binary, number):
    environment = dict(os.environ, BREAKWATER_MUTANT=str(number))
    try:
        run = subprocess.run([binary, '--gtest_brief=1', '--gtest_fail_fast'], env=environment, capture_output=True, timeout=60)
    except subprocess.TimeoutExpired:
        return True
    return run.returncode != 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('build', nargs='?', default=str(ROOT / 'build' / 'dev'))
    parser.add_argument('--file', action='append', choices=FILES)
    parser.add_argument('--list', action='store_true', help='the mutants, without running them')
    arguments = parser.parse_args()
    explained = set()
    for line in (HERE / 'survivors.txt').read_text(encoding='utf-8').split('\n'):
        if line and not line.startswith('#'):
            explained.add(tuple(line.split(': ', 2)[:2]) + (line.split(': ', 2)[2].split('  — ')[0],))
    with tempfile.TemporaryDirectory() as folder:
        binary, mutants = build(pathlib.Path(arguments.build).resolve(), arguments.file or FILES, pathlib.Path(folder))
        if arguments.list:
            for number, (file, line, what) in mutants.items():
                print(f'{number}: {file}:{line}: {what}')
            return 0
        if is_killed(binary, -1):
            print('mutants: the tests fail without any mutant')
            return 1
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            killed = dict(zip(mutants, pool.map(lambda n: is_killed(binary, n), mutants)))
    survivors = [mutants[n] for n in mutants if not killed[n]]
    unexplained = 0
    for file, line, what in survivors:
        kind, text = what.split(': ', 1)
        is_explained = (file, kind, text) in explained
        unexplained += not is_explained
        print(f'{file}:{line}: {what}{"" if is_explained else "   survives, and survivors.txt does not say why"}')
    share = 1 - len(survivors) / len(mutants)
    print(f'mutants: {len(mutants)}, killed {len(mutants) - len(survivors)} ({share:.1%}), not explained {unexplained}')
    return int(share < LEAST_KILLED or unexplained > 0)


if __name__ == '__main__':
    sys.exit(main())
