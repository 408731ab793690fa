#!/usr/bin/env python3
"""What clients can make large costs no more than in proportion: instructions (callgrind) for inputs of n, 2n and 4n. What is left of a start is
taken off: (4n − 2n) is twice (2n − n) where it is linear, four times where it is quadratic.

    linear.py LINEAR_PROBE
"""
import re
import subprocess
import sys

# What, the smallest size, and what it is.
CASES = [('hash', 60_000, 'hash(request.body)'), ('hash_deep', 60_000, '… nested 62 deep'), ('merge', 60_000, 'rewrite'), ('merge_into_like', 60_000, 'rewrite with as many members as the body has'), ('connection', 2_000, 'names in Connection'),
         ('path', 2_000, 'a path that is decoded')]
MOST = 2.4  # n · log n is a little more than 2


def instructions(probe, what, size):
    run = subprocess.run(['valgrind', '--tool=callgrind', '--callgrind-out-file=/dev/null', probe, what, str(size)], capture_output=True, text=True, check=True)
    return int(re.search(r'Collected : (\d+)', run.stderr)[1])


def main():
    failed = False
    costs = {}
    for what, size, says in CASES:
        one, two, four = (instructions(sys.argv[1], what, size * factor) for factor in (1, 2, 4))
        ratio = (four - two) / (two - one)
        costs[what] = four
        failed = failed or not ratio < MOST
        print(f'{says}: {one:,} instructions for {size:,}, {two:,} for twice, {four:,} for four times: ratio {ratio:.2f}{"" if ratio < MOST else " NOT LINEAR"}')
    by_depth = costs['hash_deep'] / costs['hash']
    print(f'62 levels cost {by_depth:.2f} times what 2 cost')
    return 1 if failed or by_depth > 1.5 else 0


if __name__ == '__main__':
    sys.exit(main())
