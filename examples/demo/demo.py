#!/usr/bin/env python3
"""The demo that scripts/run starts: flaky_ollama, a gateway in front of it, and what to try.

    demo.py --build BUILD            starts both and waits for Ctrl-C
    demo.py --build BUILD --check    goes through the steps by itself and fails if an answer is wrong
"""
import argparse
import http.client
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
GATEWAY_PORT = 8080
OLLAMA_PORT = 11435  # not 11434: a real Ollama may live there
START_LIMIT = 20     # seconds


class Failed(Exception):
    """A step did not show what it should have."""


def expect(condition, what):
    if not condition:
        raise Failed(what)


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(('127.0.0.1', port))
        except OSError:
            return False
    return True


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


class Answer:
    def __init__(self, status, headers, body, seconds):
        self.status = status
        self.headers = headers
        self.text = body.decode('utf-8')
        self.ms = seconds * 1000

    def json(self):
        return json.loads(self.text)


def ask(port, method, path, body=None):
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=30)
    try:
        begin = time.monotonic()
        payload = None if body is None else json.dumps(body, ensure_ascii=False).encode('utf-8')
        connection.request(method, path, payload, {'Content-Type': 'application/json'} if payload else {})
        response = connection.getresponse()
        content = response.read()
        return Answer(response.status, response.headers, content, time.monotonic() - begin)
    finally:
        connection.close()


class Demo:
    def __init__(self, build, check):
        self.build = pathlib.Path(build).resolve()
        self.folder = self.build / 'demo'
        self.folder.mkdir(exist_ok=True)
        self.gateway_port = free_port() if check else GATEWAY_PORT
        self.ollama_port = free_port() if check else OLLAMA_PORT
        self.gateway = None
        self.ollama = None
        self.log_path = self.folder / 'gateway.log'
        self.access_path = self.folder / 'access.log'

    # ---- The two processes

    def start_ollama(self):
        command = [self.build / 'examples/flaky_ollama/flaky_ollama', '--port', str(self.ollama_port), '--time-scale', '0.1']
        self.ollama = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.ollama.stdout.readline().strip()
        expect(line == f'listening on 127.0.0.1:{self.ollama_port}', f'flaky_ollama did not start: {line!r}')

    def start_gateway(self):
        policy = (HERE / 'demo.policy').read_text(encoding='utf-8')
        policy = policy.replace(f'127.0.0.1:{GATEWAY_PORT}', f'127.0.0.1:{self.gateway_port}')
        policy = policy.replace(f'127.0.0.1:{OLLAMA_PORT}', f'127.0.0.1:{self.ollama_port}')
        path = self.folder / 'demo.policy'
        path.write_text(policy, encoding='utf-8')
        with open(self.log_path, 'wb') as log, open(self.access_path, 'wb') as access:
            self.gateway = subprocess.Popen([self.build / 'cli/breakwater', 'run', path], stdout=access, stderr=log)
        limit = time.monotonic() + START_LIMIT
        while True:
            expect(self.gateway.poll() is None, f'the gateway ended at once. It said:\n{self.log()}')
            try:
                if ask(self.gateway_port, 'GET', '/health/ready').status == 200:
                    return
            except OSError:
                pass
            expect(time.monotonic() < limit, f'the gateway was not ready after {START_LIMIT} s. It said:\n{self.log()}')
            time.sleep(0.02)

    def stop(self, process):
        if process is None or process.poll() is not None:
            return process.returncode if process else None
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None

    def stop_all(self):
        code = self.stop(self.gateway)
        self.stop(self.ollama)
        return code

    def log(self):
        return self.log_path.read_text(encoding='utf-8', errors='replace')

    # ---- What people try

    def chat(self, question, stream=False):
        body = {'model': 'qwen3:32b', 'messages': [{'role': 'user', 'content': question}]}
        if not stream:
            body['stream'] = False
        return ask(self.gateway_port, 'POST', '/api/chat', body)

    def breaker(self):
        return ask(self.gateway_port, 'GET', '/health/circuit-breaker/ollama').json()

    def show(self):
        gateway = f'http://127.0.0.1:{self.gateway_port}'
        ollama = f'http://127.0.0.1:{self.ollama_port}'
        question = '{"model": "qwen3:32b", "stream": false, "messages": [{"role": "user", "content": "Why is the sky blue?"}]}'
        print(f'''
A gateway is running at {gateway}, in front of an Ollama at {ollama} that fails on command.
Its policy: {self.folder / 'demo.policy'}
Its log:    {self.log_path}

What to try, in another terminal:

  A request:
    curl {gateway}/api/chat -d '{question}'

  An out-of-memory error of Ollama, which nobody notices; the log says "retry attempt 1/2":
    curl {ollama}/control/fail-next -d '["oom"]'
    curl {gateway}/api/chat -d '{question}'

  Ollama stopped for 30 seconds. Ask five different questions: each is tried three times, then answered by the
  fallback ("is_fallback": true). The sixth is answered at once, since the breaker is open. The question that was
  answered before is answered from the cache:
    curl {ollama}/control/down -d '{{"for_ms": 30000}}'
    for i in 1 2 3 4 5 6; do curl {gateway}/api/chat -d '{question.replace("Why is the sky blue?", "'$i'")}'; echo; done
    curl {gateway}/health/circuit-breaker/ollama

  The recovery: when Ollama is back, three answers in a row close the breaker:
    for i in 1 2 3; do curl {gateway}/api/chat -d '{question.replace("Why is the sky blue?", "again '$i'")}'; echo; done
    curl {gateway}/health/circuit-breaker/ollama

  What operators see:
    curl {gateway}/metrics

Ctrl-C ends both.
''', flush=True)

    # ---- The same by itself

    def check(self):
        say('A request')
        first = self.chat('Why is the sky blue?')
        show(first)
        expect(first.status == 200 and first.json()['done'] is True, 'a normal answer was expected')
        expect('is_fallback' not in first.json(), 'no fallback was expected')

        say('The same as a stream')
        stream = self.chat('And at night?', stream=True)
        lines = stream.text.splitlines()
        print(f'  {stream.status}, {len(lines)} lines in {stream.ms:.0f} ms; the last: {lines[-1][:120]}…')
        expect(stream.status == 200 and json.loads(lines[-1])['done'] is True and len(lines) > 2, 'a whole stream was expected')

        say('Ollama runs out of memory once')
        ask(self.ollama_port, 'POST', '/control/fail-next', ['oom'])
        retried = self.chat('What is a breaker?')
        show(retried)
        expect(retried.status == 200 and retried.json()['done'] is True, 'the retry was expected to succeed')
        self.wait_for_log('retry attempt 1/2')

        say('Ollama is stopped. Five requests, each tried three times')
        self.stop(self.ollama)
        for number in range(1, 6):
            expect(self.breaker()['state'] == 'CLOSED', 'the breaker opened too early')
            answer = self.chat(f'Question {number}')
            show(answer)
            expect(answer.status == 200 and answer.json().get('is_fallback') is True, 'the fallback was expected')
        state = self.breaker()
        print(f'  breaker: {json.dumps(state)}')
        expect(state['state'] == 'OPEN' and state['failure_count'] == 5, 'an open breaker with 5 failures was expected')

        say('The sixth is answered at once')
        sixth = self.chat('Question 6')
        show(sixth)
        expect(sixth.status == 200 and sixth.json().get('is_fallback') is True, 'the fallback was expected')
        expect(sixth.ms < 250, f'it took {sixth.ms:.1f} ms: was it tried?')  # three attempts take 300 ms

        say('A client that reads a stream gets the fallback as a stream')
        stream = self.chat('Question 7', stream=True)
        show(stream)
        last = json.loads(stream.text.splitlines()[-1])
        expect(last['is_fallback'] is True and last['done'] is True, 'one line with "done": true was expected')

        say('A question that was answered before is answered from the cache')
        cached = self.chat('Why is the sky blue?')
        show(cached)
        expect(cached.status == 200 and cached.json().get('message') == first.json()['message'], 'the first answer was expected')

        say('Ollama is back. The breaker lets probes through after 3 s, and three successes close it')
        self.start_ollama()
        begin = time.monotonic()
        self.wait_for_state('HALF_OPEN', 10)
        print(f'  HALF_OPEN after {time.monotonic() - begin:.1f} s')
        for number in range(1, 4):
            answer = self.chat(f'Question {number}')
            show(answer)
            expect(answer.json().get('done') is True and 'is_fallback' not in answer.json(), 'a normal answer was expected')
        self.wait_for_state('CLOSED', 2)
        print(f'  breaker: {json.dumps(self.breaker())}')

        say('What operators see')
        metrics = ask(self.gateway_port, 'GET', '/metrics').text
        for name in ('circuit_breaker_open_total', 'upstream_retry_total', 'fallback_response_total'):
            found = re.findall(rf'^breakwater_{name}{{.*}} [1-9].*$', metrics, re.MULTILINE)
            expect(found, f'breakwater_{name} is missing or 0 in /metrics')
            print(*(f'  {line}' for line in found), sep='\n')

        say('The gateway ends when asked to')
        code = self.stop_all()
        print(f'  exit code {code}')
        expect(code == 0, f'exit code 0 was expected, not {code}')

    def wait_for_log(self, text):
        limit = time.monotonic() + 2
        while text not in self.log():
            expect(time.monotonic() < limit, f'{text!r} is not in the log:\n{self.log()}')
            time.sleep(0.01)
        print(f'  in the log: {next(line for line in self.log().splitlines() if text in line)}')

    def wait_for_state(self, state, seconds):
        limit = time.monotonic() + seconds
        while self.breaker()['state'] != state:
            expect(time.monotonic() < limit, f'the breaker was not {state} after {seconds} s: {self.breaker()}')
            time.sleep(0.02)


def say(text):
    print(f'\n{text}:', flush=True)


def show(answer):
    by = answer.headers.get('x-breakwater-fallback')
    text = ' '.join(answer.text.split())
    text = text if len(text) <= 240 else text[:170] + ' … ' + text[-60:]
    print(f'  {answer.status} in {answer.ms:.1f} ms{f" by fallback {by}" if by else ""}: {text}', flush=True)


def main():
    parser = argparse.ArgumentParser(description='Breakwater\'s demo')
    parser.add_argument('--build', required=True, help='the folder of the build, such as build/release')
    parser.add_argument('--check', action='store_true', help='go through the steps and fail if an answer is wrong')
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    for port in () if arguments.check else (GATEWAY_PORT, OLLAMA_PORT):
        if not is_free(port):
            print(f'Port {port} is taken, and the demo needs it. Stop what uses it, or look on: scripts/run --check takes '
                  f'ports that are free.', file=sys.stderr)
            return 1
    demo = Demo(arguments.build, arguments.check)
    try:
        demo.start_ollama()
        demo.start_gateway()
        demo.show()
        if arguments.check:
            demo.check()
            print('\nAll as it should be.')
            return 0
        while demo.gateway.poll() is None and demo.ollama.poll() is None:
            time.sleep(0.2)
        print('The gateway or flaky_ollama ended by itself. The gateway said:\n' + demo.log(), file=sys.stderr)
        return 1
    except Failed as failure:
        print(f'\nNot as it should be: {failure}', file=sys.stderr)
        print(f'\nThe gateway\'s log:\n{demo.log() if demo.log_path.exists() else "(none)"}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\nEnding both.')
        return 0
    finally:
        demo.stop_all()


if __name__ == '__main__':
    sys.exit(main())
