#!/usr/bin/env python3
"""Runs every command of transcript.txt against what `start` starts, and fails where something else comes out.

    transcript_test.py BUILD

In the transcript a line `$ …` is a command for the shell, what follows is its output; … in it stands for anything within a
line. Lines that begin with # and empty lines are for the reader.
"""
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
LIMIT = 60  # seconds for a command


def steps(text):
    found = []
    for line in text.splitlines():
        if line.startswith('$ '):
            found.append((line[2:], []))
        elif line and not line.startswith('#'):
            found[-1][1].append(line)
    return found


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(('127.0.0.1', 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    gateway, large, small = free_ports(3)
    environment = dict(os.environ, GATEWAY_PORT=str(gateway), LARGE_PORT=str(large), SMALL_PORT=str(small))
    started = subprocess.Popen([HERE / 'start', build], stdout=subprocess.PIPE, text=True, env=environment)
    failures = 0
    try:
        if started.stdout.readline() != 'ready\n':
            sys.exit('FAILED: `start` did not come up')
        exported = next(line for line in started.stdout if 'export ' in line).split()[1:]
        environment.update(pair.split('=', 1) for pair in exported)
        for command, expected in steps((HERE / 'transcript.txt').read_text(encoding='utf-8')):
            pattern = '\n'.join('[^\n]*'.join(map(re.escape, line.split('…'))) for line in expected)
            until = time.monotonic() + 3  # a line of the log is written up to 100 ms later: who types is slower than that
            while True:
                done = subprocess.run(['bash', '-c', command], capture_output=True, text=True, timeout=LIMIT, env=environment)
                lines = done.stdout.splitlines()
                holds = re.fullmatch(pattern, '\n'.join(lines)) is not None
                if holds or '$LOG' not in command or time.monotonic() > until:
                    break
            print(f'$ {command}', *lines, sep='\n')
            if not holds:
                failures += 1
                print('FAILED: expected was', *expected, done.stderr, sep='\n')
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait()
    print(f'{failures} steps went otherwise than the transcript says' if failures else 'all as the transcript says')
    sys.exit(1 if failures else 0)


if __name__ == '__main__':
    main()
