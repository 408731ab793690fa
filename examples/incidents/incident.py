#!/usr/bin/env python3
"""The three classic incidents of a model server, played on flaky_ollama: what users get, and what whoever is on call can see.
docs/runbook.md tells what to do in each. scripts/incident builds and starts it.

    incident.py --build BUILD down|slow|oom [--keep] [--check]

--keep   leaves everything running until Ctrl-C, to look around
--check  fails if the gateway does not show what the run-book says
"""
import argparse
import collections
import http.client
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'support'))
from local import answers, free_port, wait_for  # noqa: E402


class Users:
    """People who chat, one request after the other, until stop()."""

    def __init__(self, port, number):
        self.port, self.going, self.seen, self.lock = port, True, collections.Counter(), threading.Lock()
        self.threads = [threading.Thread(target=self._chat, daemon=True) for _ in range(number)]
        for thread in self.threads:
            thread.start()

    def _chat(self):
        body = json.dumps({'model': 'qwen3:32b', 'stream': False, 'messages': [{'role': 'user', 'content': 'hello'}]})
        while self.going:
            connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=30)
            try:
                connection.request('POST', '/api/chat', body, {'Content-Type': 'application/json'})
                answer = connection.getresponse()
                answer.read()
                reason = answer.getheader('X-Breakwater-Fallback-Reason')
                what = f'{answer.status}' + (f' from the fallback, because of {reason}' if reason else '')
            except (OSError, http.client.HTTPException) as error:
                what = f'no answer: {error}'
            finally:
                connection.close()
            with self.lock:
                self.seen[what] += 1
            time.sleep(0.1)

    def stop(self):
        self.going = False
        for thread in self.threads:
            thread.join(60)


class Scene:
    def __init__(self, build, folder):
        self.port, self.admin, self.ollama_port = free_port(), free_port(), free_port()
        self.ollama = subprocess.Popen([build / 'examples/flaky_ollama/flaky_ollama', '--port', str(self.ollama_port), '--time-scale', '0.2'],
                                       stdout=subprocess.DEVNULL)
        self.events_path = pathlib.Path(folder) / 'events.log'
        self.access_path = pathlib.Path(folder) / 'access.log'
        environment = {**os.environ, 'PORT': str(self.port), 'ADMIN_PORT': str(self.admin), 'OLLAMA_PORT': str(self.ollama_port)}
        self.gateway = subprocess.Popen([build / 'cli/breakwater', 'run', HERE / 'incident.policy.in'], env=environment,
                                        stdout=open(self.access_path, 'wb'), stderr=open(self.events_path, 'wb'))
        wait_for('flaky_ollama', lambda: answers(self.ollama_port, '/api/version'))
        wait_for('the gateway', lambda: answers(self.admin, '/health/ready'))

    def control(self, path, body):
        request = urllib.request.Request(f'http://127.0.0.1:{self.ollama_port}{path}', json.dumps(body).encode(), method='POST')
        urllib.request.urlopen(request, timeout=5).read()

    def breaker(self):
        return json.loads(answers(self.admin, '/health/circuit-breaker/ollama'))

    def metric(self, name):
        return sum(float(value) for value in re.findall(rf'^breakwater_{name}(?:{{[^}}]*}})? (\S+)$', answers(self.admin, '/metrics'), re.M))

    def events(self, message):
        return [line for line in self.events_path.read_text().splitlines() if f'"message":"{message}' in line]

    def stop(self):
        for process in (self.gateway, self.ollama):
            process.terminate()
        for process in (self.gateway, self.ollama):
            process.wait(60)


def show(title, lines):
    print(f'\n{title}')
    for line in lines:
        print('  ' + line)


def tell(scene, users, first=''):
    breaker = scene.breaker()
    show('/health/circuit-breaker/ollama', [json.dumps(breaker)])
    for message in ('retry attempt', 'breaker opened', 'breaker half-open', 'breaker closed'):
        lines = scene.events(message)
        if lines:
            show(f'event `{message}`: {len(lines)}; the first', lines[:1])
    show('metrics', [f'{name} {scene.metric(name):g}' for name in
                     ('breaker_state', 'circuit_breaker_open_total', 'upstream_retry_total', 'fallback_response_total', 'queue_length', 'queue_refused_total')])
    show('what users got so far' + first, [f'{count:5} × {what}' for what, count in users.seen.most_common()])


def down(scene, expect):
    users = Users(scene.port, 4)
    wait_for('answers', lambda: users.seen['200'] > 3)
    print('The server is stopped: connections are refused.')
    scene.control('/control/down', {'for_ms': 12000})
    wait_for('the breaker to open', lambda: scene.breaker()['state'] == 'OPEN')
    time.sleep(1)
    tell(scene, users)
    expect(scene.events('breaker opened'), 'an event `breaker opened`')
    expect(any('breaker_open' in what for what in users.seen), 'fallbacks because of breaker_open')
    print('\nThe server comes back by itself.')
    wait_for('the breaker to close', lambda: scene.breaker()['state'] == 'CLOSED', 40)
    tell(scene, users)
    users.stop()


def slow(scene, expect):
    users = Users(scene.port, 4)
    wait_for('answers', lambda: users.seen['200'] > 3)
    print('The server becomes ten times slower, and twenty people come.')
    scene.control('/control', {'time_scale': 2.0})
    more = Users(scene.port, 20)
    wait_for('requests that get no place', lambda: scene.metric('queue_refused_total') > 0)
    time.sleep(3)
    more.seen.update(users.seen)
    tell(scene, more)
    expect(scene.metric('queue_length') > 0 or scene.metric('queue_refused_total') > 0, 'a queue')
    expect(any('queue' in what or 'timeout' in what for what in more.seen), 'fallbacks because of the queue or a time limit')
    print('\nIt is fast again.')
    scene.control('/control', {'time_scale': 0.2})
    more.stop()
    users.stop()
    wait_for('the breaker to close', lambda: scene.breaker()['state'] in ('CLOSED', 'HALF_OPEN'), 40)


def oom(scene, expect):
    users = Users(scene.port, 4)
    wait_for('answers', lambda: users.seen['200'] > 3)
    print('The server runs out of memory for half of the requests.')
    scene.control('/control', {'oom_rate': 0.5})
    wait_for('retries', lambda: scene.metric('upstream_retry_total') > 0)
    scene.control('/control', {'oom_rate': 1.0})
    wait_for('the breaker to open', lambda: scene.breaker()['state'] == 'OPEN', 60)
    time.sleep(1)
    tell(scene, users)
    expect(scene.events('retry attempt'), 'an event `retry attempt`')
    expect(scene.metric('fallback_response_total') > 0, 'fallbacks')
    print('\nSomebody unloads the second model: there is memory again.')
    scene.control('/control', {'oom_rate': 0.0})
    wait_for('the breaker to close', lambda: scene.breaker()['state'] == 'CLOSED', 40)
    tell(scene, users)
    users.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('incident', choices=['down', 'slow', 'oom'])
    parser.add_argument('--build', type=pathlib.Path, required=True)
    parser.add_argument('--keep', action='store_true')
    parser.add_argument('--check', action='store_true')
    options = parser.parse_args()
    missing = []
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(options.build.resolve(), folder)
        try:
            print(f'gateway 127.0.0.1:{scene.port}, admin 127.0.0.1:{scene.admin}, server 127.0.0.1:{scene.ollama_port}')
            {'down': down, 'slow': slow, 'oom': oom}[options.incident](scene, lambda shown, what: shown or missing.append(what))
            if options.keep:
                print('\nEverything runs on until Ctrl-C.')
                try:
                    threading.Event().wait()
                except KeyboardInterrupt:
                    pass
        except TimeoutError as late:
            sys.exit(f'incident: {late}')
        finally:
            scene.stop()
    if missing:
        print('\nnot seen: ' + '; '.join(missing))
    sys.exit(1 if options.check and missing else 0)


main()
