#!/usr/bin/env python3
"""Random and broken JSON texts, read by the gateway's reader, by Python's and by Node's: all three take the same ones for JSON, and see
the same names, strings and tokens in them. Then with faults planted in ours, each of which must be found.

    differential.py JSON_VERDICTS [texts]      the seed is printed on failure
"""
import json
import random
import shutil
import subprocess
import sys

FAULTS = ['trailing_comma', 'nan', 'leading_zero', 'byte_order_mark', 'overlong', 'control_in_string', 'what_follows']
PLANTED_WITHIN = 1000

SCALARS = [b'null', b'true', b'false', b'0', b'-0', b'1', b'-1.5e+3', b'1e999', b'123456789012345678901234567890', b'0.1E-2', b'""', b'"a"',
           b'"\\u00e9\\n\\/"', b'"\\ud83d\\ude00"', b'"\\ud800"', b'"\\udc00x"', '"é€😀"'.encode(), b'"01234567\\\\9"', b'"\x7f"']
NAMES = [b'a', b'model', b'\\u0061', b'Model', 'ſ'.encode(), b'__proto__', b'']
BLANKS = [b'', b'', b' ', b'\n', b'\t\r ']
DIRT = [b',', b'}', b']', b'{', b'[', b':', b'"', b'\\', b'\\x', b'\\u12', b'NaN', b'Infinity', b'01', b'+1', b'.5', b'1.', b'1e', b"'", b'//', b'/**/',
        b'\x00', b'\x01', b'\x0b', b'\x0c', b'\xa0', b'\xc2\xa0', b'\xff', b'\xc0\xaf', b'\xed\xa0\x80', b'\xf4\x90\x80\x80', b'\xe2\x82', b'\xef\xbb\xbf',
        b'\xe2\x80\xa8', b'tru', b'nul', b'undefined', b'x', b',]', b',}', b'{} {}', b'-']
WHOLE = [b'\xef\xbb\xbf{}', b'', b' ', '{"a":1}'.encode('utf-16'), b'{"a":1}\x00', b'[1,]', b'{"a":1,}', b'[NaN]', b'[01]', b'["\x01"]', b'["\xc0\xaf"]', b'{}x', b'[1]\n\n',
         b'[' * 64 + b']' * 64]


def value(rng, depth):
    kind = rng.randrange(1 if depth == 0 else 3)
    if kind == 0:
        return rng.choice(SCALARS)
    items = []
    for _ in range(rng.randrange(4)):
        item = rng.choice(BLANKS) + value(rng, depth - 1) + rng.choice(BLANKS)
        if kind == 2:
            item = rng.choice(BLANKS) + b'"' + rng.choice(NAMES) + b'"' + rng.choice(BLANKS) + b':' + item
        items.append(item)
    return (b'[' if kind == 1 else b'{') + b','.join(items) + rng.choice(BLANKS) + (b']' if kind == 1 else b'}')


def text(rng):
    if rng.randrange(20) == 0:
        return rng.choice(WHOLE)
    made = value(rng, 4)
    for _ in range(rng.choice([0, 0, 1, 1, 2, 3])):
        at = rng.randrange(len(made) + 1)
        if rng.randrange(3) == 0:
            made = made[:at] + made[at + 1:]
        else:
            made = made[:at] + rng.choice(DIRT) + made[at:]
    return made


class Marks(dict):
    pass


def of_python(raw):
    """The same words as json_verdicts; numbers by their place only."""
    def refuse(name):
        raise ValueError(name)

    def string(s, mark):
        try:
            return ' ' + mark + s.encode('utf-8').hex()
        except UnicodeEncodeError:
            return ' ' + mark + b'half a pair'.hex()

    def walk(v):
        if isinstance(v, list) and v and v[0] is Marks:
            return ' {' + ''.join(string(k, 'n') + walk(w) for k, w in v[1]) + ' }'
        if isinstance(v, list):
            return ' [' + ''.join(walk(w) for w in v) + ' ]'
        if isinstance(v, str):
            return string(v, 's')
        if v is None:
            return ' n'
        if isinstance(v, bool):
            return ' t' if v else ' f'
        return ' #'

    try:
        decoded = raw.decode('utf-8')
        if decoded.startswith('\ufeff'):
            return 'no'
        return 'yes' + walk(json.loads(decoded, parse_constant=refuse, object_pairs_hook=lambda pairs: [Marks, pairs],
                                       parse_int=lambda s: 1, parse_float=lambda s: 1.0))
    except (ValueError, RecursionError):
        return 'no'


NODE = '''
const lines = require('fs').readFileSync(0, 'latin1').split('\\n');
const decoder = new TextDecoder('utf-8', {fatal: true, ignoreBOM: true});
for (const line of lines.slice(0, -1)) {
  let verdict = 'yes';
  try { JSON.parse(decoder.decode(Buffer.from(line, 'hex'))); } catch (e) { verdict = 'no'; }
  process.stdout.write(verdict + '\\n');
}
'''


def compare(binary, rng, count, fault=None):
    """The first difference, or None, and how many were JSON."""
    texts = [text(rng) for _ in range(count)]
    lines = ''.join(t.hex() + '\n' for t in texts)
    command = [binary] + (['--fault', fault] if fault else [])
    ours = subprocess.run(command, input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
    node = None
    if shutil.which('node'):
        node = subprocess.run(['node', '-e', NODE], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
    valid = 0
    for i, raw in enumerate(texts):
        python = of_python(raw)
        valid += python != 'no'
        if ours[i] != python:
            return f'{raw!r}\nours:   {ours[i]}\nPython: {python}', valid
        if node is not None and node[i] != python.split(' ')[0]:
            return f'{raw!r}\nours and Python: {python}\nNode: {node[i]}', valid
    return None, valid


def main():
    binary = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20000
    seed = 4711
    difference, valid = compare(binary, random.Random(seed), count)
    if difference:
        print(f'seed {seed}: {difference}')
        return 1
    if not count / 10 < valid < count * 9 / 10:
        print(f'{valid} of {count} texts were JSON: too few of one kind to tell anything')
        return 1
    for fault in FAULTS:
        found, _ = compare(binary, random.Random(seed), PLANTED_WITHIN, fault)
        if not found:
            print(f'{fault} was planted and not found within {PLANTED_WITHIN} texts')
            return 1
    print(f'{count} texts, {valid} of them JSON: the same to all{"" if shutil.which("node") else " (without Node)"}; {len(FAULTS)} planted faults found')
    return 0


if __name__ == '__main__':
    sys.exit(main())
