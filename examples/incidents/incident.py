#!/usr/bin/env python3
"""The three classic incidents of a model server, played on flaky_ollama: what users get, and what whoever is on call can see.
docs/runbook.md tells what to do in each. scripts/incident builds and starts it.

    incident.py --build BUILD down|slow|oom [--keep] [--check]

--keep   leaves everything running until Ctrl-C, to look around
--check  fails if the gateway does not show what the run-book says
"""
import argparse
import json
import pathlib
import sys
import tempfile
import threading
import time

from scene import Scene, Users, wait_for


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
            print(f'gateway 127.0.0.1:{scene.port}, admin 127.0.0.1:{scene.admin}, server 127.0.0.1:{scene.servers["OLLAMA_PORT"]}')
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
