#!/usr/bin/env python3
"""Would the unit tests notice? Two questions about the four objects of the request path and the machine that they serve:

    mutants.py [BUILD] [--file NAME] [--jobs N] [--quick] [--list]     negates each condition and drops each call, one at a time
    mutants.py [BUILD] --mended                              puts bugs back that were mended once (mended_bugs.txt), one at a time

BUILD: default build/dev, where the tests named below are built. All mutants of a file are compiled at once, each behind a switch that an
environment variable turns: a run costs a second, not a compilation. Prints the survivors with their lines; exit code 1 where fewer than
90 % are killed, or one survives that survivors.txt does not explain, or a mended bug is not found.
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
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
LEAST_KILLED = 0.9

# Tests that take more than a tenth of a second each, by cutting everywhere or sending much. They are asked about what the others let
# pass.
SLOW = ('ContinuedTest.WhereverItIsCut*:ContinuedTest.CutAnswerGoesOn*:ContinuedTest.BlocksOfThinking*:StreamTest.NoCutIsEver*:'
        'Failover.AFailingFirstUpstream*:ClientLimits.AnswersThatNobody*:ClientLimits.SlowReaderThat*:UpstreamCase40.*:'
        '*ByTheGateway.*')
PROXY = 'tests/runtime/proxy'
ENGINE = 'tests/runtime/engine'

# Files beside each other, and who is asked about each of their mutants, in this order: (test, filter).
GROUPS = [
    (['runtime/proxy/answer_framing.cc', 'runtime/proxy/client_answer.cc', 'runtime/proxy/request_body.cc',
      'runtime/proxy/upstream_answer.cc'],
     [(f'{PROXY}/request_path_test', '*'), (f'{PROXY}/proxy_test', f'-{SLOW}')]),
    (['runtime/proxy/exchange.cc', 'runtime/proxy/exchange_answer.cc', 'runtime/proxy/exchange_attempt.cc', 'runtime/proxy/exchange_waits.cc'],
     [(f'{PROXY}/exchange_test', '*'), (f'{PROXY}/upstream_faults_test', '*'), (f'{PROXY}/proxy_test', f'-{SLOW}'),
      (f'{PROXY}/allocations_test', '*'), (f'{PROXY}/proxy_test', SLOW)]),
]
# Who is asked about a bug that was put back.
FINDERS = [(f'{ENGINE}/exchange_machine_test', '*'), (f'{PROXY}/request_path_test', '*'), (f'{PROXY}/exchange_test', '*'), (f'{PROXY}/proxy_test', f'-{SLOW}'),
           (f'{PROXY}/upstream_faults_test', '*'), (f'{PROXY}/proxy_test', SLOW)]

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
CALL_TEXT = r'(?:[A-Za-z_]\w*(?:::|\.|->))*[A-Za-z_]\w*\(.*\)'
CALL = re.compile(rf'^(\s+)({CALL_TEXT});(\s*//.*)?$')
RETURNED_CALL = re.compile(rf'^(\s+)return ({CALL_TEXT});(\s*//.*)?$')
KEYWORDS = ('return', 'if', 'for', 'while', 'switch', 'case', 'static_assert', 'BW_CHECK', 'BW_DCHECK', 'PLANT_FAULT')  # the last is nothing at all in this build


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


def is_one_call(text):
    return not text.startswith(KEYWORDS) and closing(text, text.index('(')) == len(text) - 1


def mutate(text, first):
    """The text with all its mutants behind switches, and {number: (line, what)}; numbers begin at `first`."""
    mutants = {}
    out = []
    in_function = False
    in_void = False  # what it returns is a call that may be dropped
    ends_statement = True  # the last line did
    def add(number, what):
        identity = first + len(mutants)
        mutants[identity] = (number, what)
        return identity
    for number, line in enumerate(text.split('\n'), 1):
        begins, code = ends_statement, re.sub(r'\s*//.*$', '', line).rstrip()
        if code:
            ends_statement = code.endswith((';', '{', '}', ':')) or bool(re.match(r'\s*(if|else)\b.*\)$', code))
        if re.match(r'^\S.*(\{|,)$', line) and not line.startswith(('namespace', 'struct', 'class', 'enum', 'using', '//')):
            in_function = True
            in_void = line.startswith('void ')
        if line == '}':
            in_function = False
        if not in_function:
            one_liner = re.match(rf'^(void .*\{{ )({CALL_TEXT})(; \}})$', line)
            if one_liner and is_one_call(one_liner.group(2)):
                dropped = add(number, f'dropped: {one_liner.group(2)}')
                line = f'{one_liner.group(1)}if (mutants::Does({dropped})) {one_liner.group(2)}{one_liner.group(3)}'
            out.append(line)
            continue
        match = re.match(r'^(\s*(?:\} else )?if )\(', line)
        if match:
            end = closing(line, len(match.group(1)))
            condition = line[len(match.group(1)) + 1:end]
            if end > 0 and ';' not in condition and not re.match(r'(const )?auto\b|constexpr', condition):
                identity = add(number, f'negated: {condition}')
                rest = line[end + 1:]
                call = re.match(r'^ ([^;{}]*\(.*\));(.*)$', rest)
                returned = re.match(rf'^ return ({CALL_TEXT});(.*)$', rest)
                if call and not call.group(1).startswith(('return', 'throw')) and ' = ' not in call.group(1):
                    dropped = add(number, f'dropped: {call.group(1)}')
                    rest = f' {{ if (mutants::Does({dropped})) {call.group(1)}; }}{call.group(2)}'
                elif returned and in_void and is_one_call(returned.group(1)):
                    dropped = add(number, f'dropped: {returned.group(1)}')
                    rest = f' {{ if (mutants::Does({dropped})) {returned.group(1)}; return; }}{returned.group(2)}'
                line = f'{match.group(1)}(mutants::Negate({identity}, static_cast<bool>({condition}))){rest}'
            out.append(line)
            continue
        truth = re.match(r'^(\s*const bool \w+ = )([^;]*);(.*)$', line) or re.match(r'^(\s*while \()(.*)(\) \{)$', line)
        if truth:
            identity = add(number, f'negated: {truth.group(2)}')
            end = truth.group(3) if line.lstrip().startswith('while') else ';' + truth.group(3)
            out.append(f'{truth.group(1)}mutants::Negate({identity}, static_cast<bool>({truth.group(2)})){end}')
            continue
        call = CALL.match(line) if begins else None
        returned = RETURNED_CALL.match(line) if begins else None
        if call and is_one_call(call.group(2)):
            dropped = add(number, f'dropped: {call.group(2)}')
            line = f'{call.group(1)}if (mutants::Does({dropped})) {call.group(2)};'
        elif returned and in_void and is_one_call(returned.group(2)):
            dropped = add(number, f'dropped: {returned.group(2)}')
            line = f'{returned.group(1)}{{ if (mutants::Does({dropped})) {returned.group(2)}; return; }}'
        out.append(line)
    return '\n'.join(out), mutants


class Bug:
    def __init__(self, number, title):
        self.number = number
        self.title = title
        self.edits = []  # (file, 'statement' or 'expression', old, new)


def read_mended():
    """mended_bugs.txt: its format stands at its beginning."""
    bugs = []
    file = None
    old = new = None
    kind = None
    def finish():
        nonlocal old, new
        if old is not None:
            bugs[-1].edits.append((file, kind, old, new or ''))
        old = new = None
    for line in (HERE / 'mended_bugs.txt').read_text(encoding='utf-8').split('\n') + ['## ']:
        mark, text = line[:2], line[2:]
        if line.startswith('## '):
            finish()
            if line != '## ':
                bugs.append(Bug(len(bugs), line[3:]))
        elif line.startswith('file: '):
            finish()
            file = line[6:]
        elif mark in ('- ', '? '):
            if new is not None:
                finish()
            kind = 'statement' if mark == '- ' else 'expression'
            old = text if old is None else old + '\n' + text
        elif mark in ('+ ', ': '):
            new = text if new is None else new + '\n' + text
    return bugs


def put_back(text, name, bugs):
    """The text with the bugs of this file behind switches."""
    for bug in bugs:
        for file, kind, old, new in bug.edits:
            if file != name:
                continue
            before, rest = old.split('«') if '«' in old else ('', old)
            middle, after = rest.split('»') if '»' in rest else (rest, '')
            words = [r'\s+'.join(re.escape(word) for word in part.split()) for part in (before, middle, after)]  # however it is laid out
            found = list(re.finditer(r'(%s\s*)(%s)(\s*%s)' % tuple(words), text))
            if len(found) != 1:
                sys.exit(f'mutants: "{old}" stands {len(found)} times in {file}: mended_bugs.txt has to follow the code')
            whole = found[0].group(2)
            if kind == 'statement':
                put = f'if (mutants::Does({bug.number})) {{\n{whole}\n}} else {{\n{new}\n}}'
            else:
                put = f'(mutants::Does({bug.number}) ? ({whole}) : ({new}))'
            text = text[:found[0].start(2)] + put + text[found[0].end(2):]
    return text


def compile_changed(build_dir, name, text, folder):
    """The object of a source file with another text."""
    source = ROOT / name
    command = next(c for c in json.loads((build_dir / 'compile_commands.json').read_text()) if c['file'] == str(source))
    stem = name.replace('/', '_')
    copy = folder / stem
    copy.write_text('#include <cstdlib>\n' + SWITCH + f'#line 1 "{name}"\n' + text, encoding='utf-8')
    words = [w for w in shlex.split(command['command']) if w != '-Werror' and not w.startswith('-W')]
    target = folder / f'{stem}.o'
    words[words.index('-o') + 1] = str(target)
    words[words.index(str(source))] = str(copy)
    for flag in ('-MF', '-MT'):
        if flag in words:
            del words[words.index(flag):words.index(flag) + 2]
    subprocess.run([w for w in words if w != '-MD'], check=True, cwd=command['directory'])
    return str(target)


def link(build_dir, test, objects, folder):
    """A test with these objects instead of those in its archives."""
    commands = subprocess.run(['ninja', '-C', str(build_dir), '-t', 'commands', '-s', test], check=True, capture_output=True, text=True)
    command = next(part for part in commands.stdout.strip().split('\n')[-1].split('&&') if ' -o ' in part)
    words = shlex.split(command)
    binary = folder / test.replace('/', '_')
    words[words.index('-o') + 1] = str(binary)
    first_archive = next(i for i, w in enumerate(words) if w.endswith('.a'))
    subprocess.run(words[:first_archive] + objects + words[first_archive:], check=True, cwd=build_dir)  # ours are found before the archive's
    return binary


class Asked:
    """A test that can be asked whether it notices a mutant."""

    def __init__(self, test, binary, filter_):
        self.test, self.binary, self.filter = test, binary, filter_
        self.limit = 600
        began = time.monotonic()
        if self.notices(-1):
            sys.exit(f'mutants: {test} fails without any mutant')
        self.limit = 10 + 5 * (time.monotonic() - began)  # what runs for ever is noticed, too

    def notices(self, number):
        environment = dict(os.environ, BREAKWATER_MUTANT=str(number))
        arguments = [self.binary, '--gtest_brief=1', '--gtest_fail_fast', f'--gtest_filter={self.filter}']
        try:
            return subprocess.run(arguments, env=environment, capture_output=True, timeout=self.limit).returncode != 0
        except subprocess.TimeoutExpired:
            return True


def ask(build_dir, objects, tests, folder):
    binaries = {}
    asked = []
    for test, filter_ in tests:
        if test not in binaries:
            mine = [o for o in objects if test.startswith(PROXY) or 'runtime_engine' in o]
            binaries[test] = link(build_dir, test, mine, folder)
        asked.append(Asked(test, binaries[test], filter_))
    return asked


def who_notices(asked, number):
    return next((one for one in asked if one.notices(number)), None)


def explained():
    known = set()
    for line in (HERE / 'survivors.txt').read_text(encoding='utf-8').split('\n'):
        if line and not line.startswith('#'):
            file, kind, text = line.split(': ', 2)
            known.add((file, kind, text.split('  — ')[0]))
    return known


def is_explained(mutant, known):
    file, _, what = mutant
    return (file, *what.split(': ', 1)) in known


def tell(survivor, known):
    file, line, what = survivor
    print(f'{file}:{line}: {what}{"" if is_explained(survivor, known) else "   survives, and survivors.txt does not say why"}', flush=True)


def run_mutants(build_dir, groups, jobs, only_lists):
    known = explained()
    all_mutants = {}
    survivors = []
    for files, tests in groups:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            mutants = {}
            changed = {}
            for file in files:
                changed[file], found = mutate((ROOT / file).read_text(encoding='utf-8'), len(mutants))
                mutants.update({i: (file, *where) for i, where in found.items()})
            all_mutants.update({(tuple(files), i): what for i, what in mutants.items()})
            if only_lists:
                for number, (file, line, what) in mutants.items():
                    print(f'{number}: {file}:{line}: {what}')
                continue
            objects = [compile_changed(build_dir, file, text, folder) for file, text in changed.items()]
            asked = ask(build_dir, objects, tests, folder)
            noticed = {}
            with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
                for number, by in zip(mutants, pool.map(lambda n: who_notices(asked, n), mutants)):
                    noticed[number] = by
                    if by is None:
                        survivors.append(mutants[number])
                        tell(mutants[number], known)
            for file in files:
                mine = [n for n in mutants if mutants[n][0] == file]
                killed = sum(noticed[n] is not None for n in mine)
                print(f'{file}: {len(mine)} mutants, {killed} killed', flush=True)
    if only_lists:
        return 0
    unexplained = sum(not is_explained(mutant, known) for mutant in survivors)
    share = 1 - len(survivors) / len(all_mutants)
    print(f'mutants: {len(all_mutants)}, killed {len(all_mutants) - len(survivors)} ({share:.1%}), not explained {unexplained}')
    return int(share < LEAST_KILLED or unexplained > 0)


def run_mended(build_dir, jobs, only_lists):
    bugs = read_mended()
    files = sorted({file for bug in bugs for file, *_ in bug.edits})
    changed = {file: put_back((ROOT / file).read_text(encoding='utf-8'), file, bugs) for file in files}
    if only_lists:
        for bug in bugs:
            print(f'{bug.number + 1}: {bug.title}')
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        objects = [compile_changed(build_dir, file, text, folder) for file, text in changed.items()]
        asked = ask(build_dir, objects, FINDERS, folder)
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            found = list(pool.map(lambda bug: who_notices(asked, bug.number), bugs))
    for bug, by in zip(bugs, found):
        print(f'{bug.number + 1}: {bug.title}: {"NOT FOUND" if by is None else "found by " + by.test.split("/")[-1]}')
    count = sum(by is not None for by in found)
    print(f'mended bugs put back: {len(bugs)}, found {count}')
    return int(count < len(bugs))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('build', nargs='?', default=str(ROOT / 'build' / 'dev'))
    parser.add_argument('--file', action='append', help='only this one, such as client_answer')
    parser.add_argument('--mended', action='store_true')
    parser.add_argument('--quick', action='store_true', help='without the slow tests')
    parser.add_argument('--jobs', type=int, default=os.cpu_count())
    parser.add_argument('--list', action='store_true', help='what would be tried, without trying it')
    arguments = parser.parse_args()
    build_dir = pathlib.Path(arguments.build).resolve()
    if arguments.mended:
        return run_mended(build_dir, arguments.jobs, arguments.list)
    groups = GROUPS
    if arguments.quick:
        groups = [(files, [test for test in tests if test[1] != SLOW]) for files, tests in GROUPS]
    if arguments.file:
        groups = [([f for f in files if pathlib.Path(f).stem in arguments.file], tests) for files, tests in groups]
        groups = [group for group in groups if group[0]]
    return run_mutants(build_dir, groups, arguments.jobs, arguments.list)


if __name__ == '__main__':
    sys.exit(main())
