#!/usr/bin/env python3
"""One of the three incidents, drawn by a seed, for somebody who does not know which: prints the address of the live page and its token, and
nothing else; what is wrong is written to a file apart. What a newcomer says of the page is compared with that.

    seeded.py --build BUILD --seed N --truth FILE [--minutes 15]

The questions: What is broken? Why did the breaker open? When will it try again? What do users get meanwhile?
"""
import argparse
import json
import pathlib
import random
import tempfile
import time

from scene import Scene, Users, wait_for

NAMES = ['basement', 'rack7', 'attic', 'north', 'lab', 'annex']
TOKEN = 'seeded'

POLICY = """edition 1

gateway {
  listen      = "127.0.0.1:${env("PORT")}"
  admin       = "127.0.0.1:${env("ADMIN_PORT")}"
  admin_token = secret("ADMIN_TOKEN")
  workers     = 1
}
"""
UPSTREAM = """
upstream {name} {{
  url           = "http://127.0.0.1:${{env("{variable}")}}"
  repeat_safe   = true
  max_in_flight = 4
  queue {{ length = 8  timeout = 3s }}
  attempt_timeout = 2s
  timeouts {{ connect = 500ms }}
  retry {{
    max_retries = 1
    when status in {{500, 502, 503}} or error in {{refused, reset}}
    wait   = exponential(from: 100ms, factor: 2, cap: 1s, jitter: 20%)
    honour = retry_after(cap: 2s)
    budget = 20%
  }}
  breaker {{
    {rule}
    open_for = {open_for}s
  }}
}}

reply {fallback} {{
  status = {status}
  {more}text   = "{text}"
}}

route {route} {{ when request.method == POST and request.path == "{path}"  to = {name}  fallback = [{fallback}] }}
"""
REST = """
route rest { reply = nope }
reply nope { status = 404  body = json { "error": "no such path" } }
"""


def draw(seed):
    """Policy and truth of a seed."""
    chance = random.Random(seed)
    names = chance.sample(NAMES, 2)
    texts = [('busy', 503, 'header["Retry-After"] = "5"\n  ', 'Busy. Try again in a moment.'),
             ('closed_for_now', 200, 'header["X-Is-Fallback"] = "yes"\n  ', 'The model has a break. This answer is not from it.')]
    chance.shuffle(texts)
    policy, parts = POLICY, []
    for name, (route, path), (fallback, status, more, text) in zip(names, [('chat', '/api/chat'), ('write', '/api/generate')], texts):
        rule = chance.choice(['open when failed_requests(60s) >= {}'.format(chance.randint(4, 9)),
                              'open when consecutive_failures >= {}'.format(chance.randint(5, 9)),
                              'open when failure_ratio(30s) >= {}% and requests(30s) >= 10'.format(chance.choice([40, 60, 75]))])
        part = {'name': name, 'variable': name.upper() + '_PORT', 'route': route, 'path': path, 'fallback': fallback, 'status': status, 'more': more,
                'text': text, 'rule': rule, 'open_for': chance.choice([20, 30, 45])}
        parts.append(part)
        policy += UPSTREAM.format(**part)
    policy += REST
    kinds = ['down', 'slow', 'oom']  # three seeds that follow each other, from a multiple of three on, have one each
    random.Random(seed // 3).shuffle(kinds)
    kind = kinds[seed % 3]
    ill = chance.choice(parts)
    lines = policy.splitlines()
    return policy, parts, {
        'seed': seed, 'incident': kind, 'upstream': ill['name'],
        'broken': {'down': 'connections to it are refused', 'slow': 'an answer takes far longer than usual, and longer than attempt_timeout',
                   'oom': 'it answers 500, out of memory'}[kind],
        'rule': ill['rule'], 'line': lines.index('    ' + ill['rule'], lines.index(f'upstream {ill["name"]} {{')) + 1, 'tries_again': f'{ill["open_for"]} s after each opening',
        'users_get': f'route {ill["route"]}: reply {ill["fallback"]}, status {ill["status"]}; the other route is well', 'variable': ill['variable']}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--build', type=pathlib.Path, required=True)
    parser.add_argument('--seed', type=int, required=True)
    parser.add_argument('--truth', type=pathlib.Path, required=True)
    parser.add_argument('--minutes', type=float, default=15)
    options = parser.parse_args()
    policy, parts, truth = draw(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / 'gateway.policy'
        path.write_text(policy)
        scene = Scene(options.build.resolve(), folder, path, [part['variable'] for part in parts], {'ADMIN_TOKEN': TOKEN})
        try:
            users = [Users(scene.port, 3, part['path']) for part in parts]
            wait_for('answers', lambda: all(one.seen['200'] > 3 for one in users))
            server = truth.pop('variable')
            if truth['incident'] == 'down':
                scene.control('/control/down', {'for_ms': round(options.minutes * 60_000)}, server)
            else:
                scene.control('/control', {'slow': {'time_scale': 8}, 'oom': {'oom_rate': 1}}[truth['incident']], server)
            wait_for('the breaker to open', lambda: scene.events('breaker opened'), 120)
            truth['opened'] = json.loads(scene.events('breaker opened')[0])
            options.truth.write_text(json.dumps(truth, indent=2) + '\n')
            print(f'http://127.0.0.1:{scene.admin}/  token: {TOKEN}', flush=True)
            time.sleep(options.minutes * 60)
        except KeyboardInterrupt:
            pass
        finally:
            for one in users:
                one.going = False
            scene.stop()


main()
