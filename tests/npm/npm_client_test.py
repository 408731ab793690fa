#!/usr/bin/env python3
"""The npm client `ollama` reads answers and fallbacks, whole and as streams, and never throws.

    npm_client_test.py direct  FLAKY_OLLAMA            against the server itself: shows that the reader can tell
    npm_client_test.py gateway FLAKY_OLLAMA BREAKWATER POLICY
        through a gateway: an answer, then – with the server stopped – the founding fallback

POLICY is the founding configuration; its addresses are replaced by those of this test.
"""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
LIMIT = 30  # seconds until a start that does not come is a failure


def expect(condition, what):
    if not condition:
        sys.exit(f'FAILED: {what}')


def read(url, question, may_throw=False):
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith('_proxy')}
    done = subprocess.run(['node', str(HERE / 'read_chat.mjs'), url, question], capture_output=True, text=True, timeout=60,
                          env=environment)
    if may_throw:
        return done
    expect(done.returncode == 0, f'the npm client threw:\n{done.stderr}')
    result = json.loads(done.stdout)
    print(question, json.dumps(result, ensure_ascii=False))
    return result


def start_ollama(program, *flags):
    process = subprocess.Popen([program, '--port', '0', '--time-scale', '0.01', *flags], stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    found = re.fullmatch(r'listening on 127\.0\.0\.1:(\d+)\n', line)
    expect(found, f'flaky_ollama did not start: {line!r}')
    return process, int(found.group(1))


def end(process):
    process.send_signal(signal.SIGKILL)
    process.wait()


def expect_answer(result):
    for kind in ('whole', 'stream'):
        expect(result[kind]['done'] is True and result[kind]['text'].startswith('Answer '), f'{kind}: an answer was expected')
        expect('is_fallback' not in result[kind], f'{kind}: no fallback was expected')
    expect(result['stream']['frames'] > 2, 'a stream of several frames was expected')


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {'Content-Type': 'application/json'})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=LIMIT) as response:
        return response.read()


def direct(flaky_ollama):
    process, port = start_ollama(flaky_ollama)
    try:
        url = f'http://127.0.0.1:{port}'
        expect_answer(read(url, 'direct'))
        # The reader must be able to fail: errors and cut streams have to throw.
        for fault in ('oom', 'truncate', 'cut', 'stream_error'):
            post(f'{url}/control/fail-next', ['ok', fault])
            expect(read(url, fault, may_throw=True).returncode != 0, f'{fault}: the client was expected to throw')
    finally:
        end(process)


def gateway(flaky_ollama, breakwater, policy):
    ollama, port = start_ollama(flaky_ollama)
    with tempfile.TemporaryDirectory() as folder:
        text = pathlib.Path(policy).read_text(encoding='utf-8')
        # "/api/chat" stays: the founding upstream is an endpoint.
        text, upstreams = re.subn(r'http://ollama-service:11434', f'http://127.0.0.1:{port}', text)
        address = f'127.0.0.1:{free_port()}'
        text, listens = re.subn(r'"0\.0\.0\.0:8080"', f'"{address}"', text)
        expect(upstreams == 1 and listens == 2, f'{policy} is not the founding configuration as this test knows it')
        path = pathlib.Path(folder) / 'founding.policy'
        path.write_text(text, encoding='utf-8')
        with open(pathlib.Path(folder) / 'log', 'w+', encoding='utf-8') as log:
            process = subprocess.Popen([breakwater, 'run', str(path)], stdout=subprocess.DEVNULL, stderr=log)
            try:
                wait_until_ready(process, address, log)
                url = f'http://{address}'
                expect_answer(read(url, 'through the gateway'))
                end(ollama)
                result = read(url, 'while Ollama is stopped')
                for kind in ('whole', 'stream'):
                    expect(result[kind].get('is_fallback') is True, f'{kind}: is_fallback was expected')
                    expect('繁忙' in result[kind]['text'], f'{kind}: the message of the founding fallback was expected')
                    expect('常见问题' in result[kind]['suggestion'], f'{kind}: its suggestion was expected')
                expect(result['stream']['done'] is True, 'the stream must say that it is done')
            finally:
                end(process)
                end(ollama)


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def wait_until_ready(process, address, log):
    limit = time.monotonic() + LIMIT
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        try:
            opener.open(f'http://{address}/health/ready', timeout=5)
            return
        except (urllib.error.URLError, OSError):
            log.seek(0)
            expect(process.poll() is None, f'the gateway ended at once:\n{log.read()}')
            expect(time.monotonic() < limit, f'the gateway was not ready:\n{log.read()}')
            time.sleep(0.02)


def main():
    if not (HERE / 'node_modules/ollama').is_dir():
        sys.exit('FAILED: the npm packages are not installed; tests/npm/install does it (scripts/test calls it)')
    if sys.argv[1:2] == ['direct'] and len(sys.argv) == 3:
        direct(sys.argv[2])
    elif sys.argv[1:2] == ['gateway'] and len(sys.argv) == 5:
        gateway(*sys.argv[2:])
    else:
        sys.exit(__doc__)
    print('passed')


if __name__ == '__main__':
    main()
