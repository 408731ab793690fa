#!/usr/bin/env python3
"""Floods, odd requests and a full table of descriptors against the real binary: what is bounded stays bounded, and who reads the logs
hears of everything that was refused.

    abuse_test.py BREAKWATER [CASE …]      exit code 1: a case failed
"""
import atexit
import json
import os
import pathlib
import re
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

MIB = 1 << 20


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def wait_for(what, condition, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.02)
    raise AssertionError(f'waited {seconds} s for: {what}')


class Upstream(threading.Thread):
    """Answers each request, `after` so many seconds, with what `answer` gives."""

    def __init__(self, answer=None, after=0.0):
        super().__init__(daemon=True)
        self.answer = answer or (lambda head, body: (200, b'{"choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}]}'))
        self.after = after
        self.requests = []
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=4096)
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        buffered = b''
        try:
            while True:
                while b'\r\n\r\n' not in buffered:
                    more = connection.recv(1 << 16)
                    if not more:
                        return
                    buffered += more
                head, _, buffered = buffered.partition(b'\r\n\r\n')
                length = re.search(rb'content-length: *(\d+)', head, re.I)
                length = int(length[1]) if length else 0
                pieces, size = [buffered[:length]], min(len(buffered), length)
                buffered = buffered[length:]
                while size < length:
                    more = connection.recv(1 << 18)
                    if not more:
                        return
                    pieces.append(more[:length - size])
                    buffered = more[length - size:]
                    size += len(pieces[-1])
                with self.lock:
                    self.requests.append(head.decode('latin-1'))
                    self.at_once += 1
                    self.most_at_once = max(self.most_at_once, self.at_once)
                time.sleep(self.after)
                status, body = self.answer(head, b''.join(pieces))
                with self.lock:
                    self.at_once -= 1
                connection.sendall(b'HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n' % (status, len(body)) + body)
        except OSError:
            pass


def make_memory_cgroup(limit):
    """A cgroup of that much memory, of either version; None where none can be made here."""
    for root, file in (('/sys/fs/cgroup/memory', 'memory.limit_in_bytes'), ('/sys/fs/cgroup', 'memory.max')):
        folder = pathlib.Path(root) / f'breakwater-test-{os.getpid()}'
        try:
            folder.mkdir()
            (folder / file).write_text(str(limit))
            atexit.register(remove_cgroup, folder)
            return folder
        except OSError:
            if folder.exists():
                folder.rmdir()
    return None


def remove_cgroup(folder):
    for _ in range(100):  # until the last of it is gone
        try:
            return folder.rmdir()
        except OSError:
            time.sleep(0.05)


class Skipped(Exception):
    pass


class Gateway:
    def __init__(self, policy, gateway='', limits=None, cgroup=None):
        self.folder = tempfile.TemporaryDirectory(prefix='abuse-')
        folder = pathlib.Path(self.folder.name)
        self.port, self.admin = free_port(), free_port()
        path = folder / 'p.policy'
        path.write_text(f'edition 1\ngateway {{ listen = "127.0.0.1:{self.port}"  admin = "127.0.0.1:{self.admin}"  workers = 2  {gateway} }}\n{policy}')
        self.out, self.err = folder / 'access', folder / 'events'

        def limit():
            if cgroup is not None:
                (cgroup / 'cgroup.procs').write_text(str(os.getpid()))
            for kind, value in (limits or {}).items():
                resource.setrlimit(kind, (value, value))

        self.process = subprocess.Popen([BREAKWATER, 'run', str(path)], stdout=open(self.out, 'wb'), stderr=open(self.err, 'wb'), preexec_fn=limit)
        atexit.register(lambda: (self.process.kill(), self.process.wait()))  # of a case that failed
        wait_for('the gateway', self.is_ready)

    def is_ready(self):
        assert self.process.poll() is None, self.err.read_text()
        return any(event['message'] == 'ready' for event in self.events())

    @staticmethod
    def lines(path):
        text = path.read_text()
        return [json.loads(line) for line in text[:text.rfind('\n') + 1].splitlines()]

    def access(self):
        return self.lines(self.out)

    def events(self, message=None):
        return [event for event in self.lines(self.err) if message in (None, event['message'])]

    def connect(self, source='127.0.0.1', port=None):
        return socket.create_connection(('127.0.0.1', port or self.port), timeout=30, source_address=(source, 0))

    def ask(self, raw, port=None):
        with self.connect(port=port) as connection:
            connection.sendall(raw)
            return read_all(connection)

    def get(self, path='/', lines=b''):
        return self.ask(b'GET ' + path.encode() + b' HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n' + lines + b'\r\n')

    def metric(self, name):
        text = urllib.request.urlopen(f'http://127.0.0.1:{self.admin}/metrics', timeout=10).read().decode()
        return sum(float(line.rsplit(' ', 1)[1]) for line in text.splitlines() if line.startswith(name))

    def descriptors(self):
        return len(os.listdir(f'/proc/{self.process.pid}/fd'))

    def resident(self):
        return int(re.search(r'VmRSS:\s+(\d+)', pathlib.Path(f'/proc/{self.process.pid}/status').read_text())[1]) * 1024

    def stop(self):
        assert self.process.poll() is None, 'the gateway ended by itself'
        self.process.terminate()
        code = self.process.wait(60)
        self.folder.cleanup()
        return code


def read_all(connection):
    got = b''
    try:
        while True:
            more = connection.recv(1 << 16)
            if not more:
                return got
            got += more
    except ConnectionResetError:
        return got


def status(answer):
    return int(answer.split(b' ', 2)[1]) if answer.startswith(b'HTTP/') else None


# ---- Cases -----------------------------------------------------------------------------------------------------------

def few_descriptors():
    """ulimit -n 128: whatever is thrown at it, it has no more descriptors, blames no upstream, and serves again afterwards."""
    upstream = Upstream(after=0.2)
    gateway = Gateway(f'upstream u {{ url = "http://127.0.0.1:{upstream.port}"  breaker {{ open when consecutive_failures >= 3 }} }}\n',
                      limits={resource.RLIMIT_NOFILE: 128})
    told = gateway.events('fewer connections than limits.connections')
    assert told and told[0]['connections'] < 64, told
    for raw in (b'BAD\r\n\r\n', b'GET /x HTTP/1.1\r\nHost: a\r\n\r\n', b'GET /x HTTP/1.1\r\nHost: a\r\n', b'POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n'):
        connections = []
        most = 0
        for _ in range(300):
            try:
                connection = gateway.connect()
                connection.sendall(raw)
                connections.append(connection)
            except OSError:
                pass  # refused: that is how it stays bounded
            most = max(most, gateway.descriptors())
        time.sleep(0.5)
        most = max(most, gateway.descriptors())
        assert most <= 128, (raw, most)
        for connection in connections:
            connection.close()
        wait_for(f'an answer after {raw!r}', lambda: status(gateway.get()) == 200)
    assert gateway.metric('breakwater_breaker_open_total') == 0, 'its own lack is no failure of the upstream'
    assert gateway.metric('breakwater_refused_connections_total') > 300
    assert gateway.stop() == 0


def many_bodies(sources, memory_limit=None, cgroup=None, limit=64 * MIB):
    """`limit` is that of the policy, or where there is a cgroup what comes of it."""
    upstream = Upstream(after=0.05)
    gateway = Gateway(f'upstream u {{ url = "http://127.0.0.1:{upstream.port}" }}\n', gateway='' if cgroup else f'limits {{ memory = {limit // MIB}MiB }}',
                      limits={resource.RLIMIT_AS: memory_limit} if memory_limit else None, cgroup=cgroup)
    body = b'{"model":"m","messages":[{"role":"user","content":"' + b'a' * MIB + b'"}]}'
    before = gateway.resident()
    answers = {}
    lock = threading.Lock()
    half_sent = threading.Barrier(1001)

    def one(i):
        try:
            connection = gateway.connect(sources[i % len(sources)])
        except OSError:
            connection = None
        try:
            if connection is not None:
                connection.sendall(b'POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n' % len(body) + body[:len(body) // 2])
        except OSError:
            pass
        half_sent.wait(120)  # all of them are in flight
        answer = b''
        if connection is not None:
            try:
                connection.sendall(body[len(body) // 2:])
            except OSError:
                pass
            try:
                answer = read_all(connection)
            except OSError:
                pass
            connection.close()
        with lock:
            key = (status(answer), b'"memory"' in answer)
            answers[key] = answers.get(key, 0) + 1

    threads = [threading.Thread(target=one, args=(i,)) for i in range(1000)]
    for thread in threads:
        thread.start()
    half_sent.wait(120)
    most = 0
    while any(thread.is_alive() for thread in threads):
        assert gateway.process.poll() is None, 'the kernel ended it'
        most = max(most, gateway.resident())
        time.sleep(0.02)
    # Heads, what is read ahead and the allocator's slack come on top of what is counted.
    print(f'  resident: {before // MIB} MiB, at most {most // MIB} MiB; answers {answers}', flush=True)
    assert most < before + limit + 32 * MIB, (before // MIB, most // MIB)
    assert set(answers) <= {(200, False), (413, True)}, answers
    assert answers[(200, False)] >= 5 and answers[(413, True)] >= 100, answers
    assert gateway.metric('breakwater_bad_request_total{reason="memory"}') == answers[(413, True)]
    for _ in range(20):
        answer = gateway.ask(b'POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n' % len(body) + body)
        assert status(answer) == 200, answer[:300]
    wait_for('a line for each', lambda: len(gateway.access()) == 1020)
    assert gateway.stop() == 0
    return answers


def many_bodies_of_one_address():
    """limits.memory = 64MiB, 1,000 bodies of 1 MiB in flight, of one address: bounded, refused with a reason, over afterwards."""
    many_bodies(['127.0.0.1'])


def many_bodies_of_many_addresses():
    """… of twenty addresses, in a process that may have 1 GiB of addresses (rlimit)."""
    many_bodies([f'127.0.0.{i}' for i in range(2, 22)], memory_limit=1024 * MIB)


def many_bodies_in_a_memory_cgroup():
    """… in a cgroup of 400 MiB, and nothing about it in the policy: a quarter of that is the limit, and the kernel ends nobody."""
    cgroup = make_memory_cgroup(400 * MIB)
    if cgroup is None:
        raise Skipped('no memory cgroup can be made here')
    many_bodies([f'127.0.0.{i}' for i in range(2, 22)], cgroup=cgroup, limit=100 * MIB)


def refused_requests_are_logged():
    """One line in the access log for each request that was refused, by whatever."""
    upstream = Upstream()
    gateway = Gateway(f'''
upstream u {{ url = "http://127.0.0.1:{upstream.port}"  rewrite = json {{ "user": "x" }} }}
upstream down {{ url = "http://127.0.0.1:{free_port()}" }}
reply no {{ status = 403  text = "no" }}
route big {{ when request.json.model == "big"  reply = no }}
route down {{ when request.path == "/down"  to = down }}
route query {{ when request.query["admin"] == "1" or request.header["X-Role"] == "admin"  reply = no }}
route rest {{ when request.path != "/nowhere"  to = u }}
''', gateway='cors = "https://chat.example"  limits { header_time = 1s  body = 1MiB }')
    chat = b'POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nConnection: close\r\n'

    def body(text, lines=b'Content-Type: application/json\r\n'):
        return chat + lines + b'Content-Length: %d\r\n\r\n' % len(text) + text

    def get(path, lines=b''):
        return b'GET ' + path + b' HTTP/1.1\r\nHost: a\r\nConnection: close\r\n' + lines + b'\r\n'

    cases = [  # status, reason of the log line or None where it has none, bytes
        (501, 'unknown_method', b'BAD / HTTP/1.1\r\nHost: a\r\n\r\n'), (400, 'http2_preface', b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), (400, 'bad_start', b'\x16\x03\x01\x02\x00\x01\r\n\r\n'),
        (405, 'trace_method', b'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n'), (405, 'connect_method', b'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n'), (400, 'missing_host', b'GET / HTTP/1.1\r\n\r\n'),
        (400, 'bad_target', get(b'/a#b')), (414, 'uri_too_long', get(b'/' + b'a' * 10000)), (431, 'header_too_long', get(b'/', b'X: ' + b'a' * 9000 + b'\r\n')),
        (431, None, get(b'/', b'X: a\r\n' * 200)), (400, 'bad_header', get(b'/', b'X y: a\r\n')), (505, 'unsupported_version', b'GET / HTTP/3.0\r\nHost: a\r\n\r\n'),
        (417, 'unknown_expectation', chat + b'Expect: tea\r\nContent-Length: 0\r\n\r\n'), (400, 'length_and_encoding', chat + b'Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'),
        (413, 'body_too_large', chat + b'Content-Length: 2000000\r\n\r\n'), (408, 'request_timeout', b'GET / HTTP/1.1\r\nHost: a\r\n'),
        (400, None, chat + b'Transfer-Encoding: chunked\r\n\r\nzz\r\n'), (400, 'path', get(b'/a/..%2fb')), (403, 'foreign_origin', get(b'/', b'Origin: https://evil.example\r\n')),
        (403, 'foreign_origin', get(b'/', b'Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: image\r\nReferer: https://evil.example/\r\n')),
        (426, 'websocket', get(b'/v1/realtime', b'Connection: Upgrade\r\nUpgrade: websocket\r\n')), (400, 'json_syntax', body(b'{')), (400, 'folded_json_member', body(b'{"Model":"x"}')),
        (400, 'duplicate_query', get(b'/?admin=0&admin=1')), (400, 'duplicate_header', get(b'/', b'X-Role: a\r\nX-Role: b\r\n')), (400, 'json_charset', body(b'{}', b'Content-Type: application/json; charset=utf-16\r\n')),
        (415, 'content_encoding', body(b'x', b'Content-Encoding: br\r\n')), (400, 'broken_encoding', body(b'x', b'Content-Encoding: gzip\r\n')), (404, 'no_route', get(b'/nowhere')),
        (403, 'ollama_server_changes', get(b'/api/pull')), (403, None, body(b'{"model":"big"}')), (502, 'refused', get(b'/down')),
    ]
    for number, (wanted, reason, raw) in enumerate(cases):
        answer = gateway.ask(raw)
        assert status(answer) == wanted, (wanted, reason, raw[:100], answer[:300])
        lines = wait_for(f'the line of {raw[:60]!r}', lambda: len(gateway.access()) > number and gateway.access())
        assert len(lines) == number + 1, (raw[:100], lines[number:])
        assert lines[-1]['status'] == wanted, (raw[:100], lines[-1])
        assert reason is None or lines[-1].get('fallback_reason') == reason, (reason, lines[-1])
        assert lines[-1]['client'] == '127.0.0.1' and lines[-1]['request_id'], lines[-1]
    answer = gateway.ask(b'GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', port=gateway.admin)
    assert status(answer) == 404
    wait_for('its line', lambda: len(gateway.access()) == len(cases) + 1)
    assert not upstream.requests, upstream.requests
    assert gateway.stop() == 0


def a_breaker_that_opens_says_why():
    """`breaker opened`: rule, counts, last error, until when; and what closes it again is told, too."""
    fails = True
    upstream = Upstream(answer=lambda head, body: (503, b'{}') if fails else (200, b'{}'))
    gateway = Gateway(f'upstream u {{ url = "http://127.0.0.1:{upstream.port}"  breaker {{ open when failures(60s) >= 3 and failure_ratio(60s) > 50%  open_for = 1s }} }}\n')
    for _ in range(3):
        gateway.get()
    event = wait_for('the event', lambda: gateway.events('breaker opened'))[0]
    assert event['upstream'] == 'u' and event['level'] == 'warn' and event['from'] == 'CLOSED' and event['to'] == 'OPEN', event
    assert 'failures(1min) >= 3' in event['rule'] and 'failure_ratio(1min) > 50%' in event['rule'], event
    assert event['counts']['failures(1min)'] == 3 and event['counts']['failure_ratio(1min)'] == 1, event
    assert event['last_error'].startswith('503'), event
    stamp = '%Y-%m-%dT%H:%M:%S.%fZ'
    until, at = (time.mktime(time.strptime(event[name][:19], stamp[:17])) + float('0' + event[name][19:23]) for name in ('until', 'time'))
    assert 0.9 < until - at < 1.2, event
    wait_for('its access line', lambda: any(line['request_id'] == event['request_id'] for line in gateway.access()))
    fails = False
    wait_for('closed', lambda: status(gateway.get()) == 200 and gateway.events('breaker closed'))
    assert gateway.stop() == 0


def bad_answers_have_a_detail():
    """What was wrong with an answer stands in its attempt's line."""
    raw = {'answer': b''}

    class Raw(Upstream):
        def serve(self, connection):
            connection.recv(1 << 16)
            connection.sendall(raw['answer'])
            connection.close()
    upstream = Raw()
    gateway = Gateway(f'upstream u {{ url = "http://127.0.0.1:{upstream.port}" }}\n')
    cases = [(b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n', 'length_and_encoding'),
             (b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n', 'bad_transfer_encoding'),
             (b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok', 'bad_content_length'), (b'SSH-2.0-OpenSSH_9\r\n', 'bad_status_line'),
             (b'HTTP/1.1 200 OK\r\nX : a\r\n\r\n', 'bad_header'), (b'HTTP/1.1 102 X\r\n\r\n' * 500, 'too many interim answers'),
             (b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok', None)]
    for number, (answer, detail) in enumerate(cases):
        raw['answer'] = answer
        got = gateway.get()
        attempt = wait_for('its line', lambda: len(gateway.access()) > number and gateway.access())[-1]['attempts'][-1]
        assert attempt.get('detail') == detail and (detail is None) == (status(got) == 200), (answer[:60], attempt, got[:80])
        assert detail is None or attempt['error'] == 'bad_response', attempt
    assert gateway.stop() == 0


def models_that_nobody_has():
    """cold_load beside max_in_flight = 1: 200 invented names at once are not loaded at once, and the real one stays."""
    def answer(head, body):
        model = json.loads(body or b'{}').get('model', '')
        if model != 'real':
            return 404, b'{"error":"model not found"}'
        return 200, b'{"model":"real","message":{"role":"assistant","content":"x"},"done":true,"done_reason":"stop"}'
    upstream = Upstream(answer, after=0.01)
    gateway = Gateway(f'upstream u {{ url = "http://127.0.0.1:{upstream.port}"  dialect = ollama  cold_load = 30s  max_in_flight = 1  queue {{ length = 1000  timeout = 60s }} }}\n')

    def chat(model):
        body = json.dumps({'model': model, 'stream': False, 'messages': []}).encode()
        return status(gateway.ask(b'POST /api/chat HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n' % len(body) + body))
    assert chat('real') == 200
    loads = lambda: sum('/api/generate' in head.split('\r\n')[0] for head in upstream.requests)
    assert loads() == 1
    answers = []
    threads = [threading.Thread(target=lambda i=i: answers.append(chat(f'invented-{i}'))) for i in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(404) == 200, answers
    assert upstream.most_at_once <= 2, f'{upstream.most_at_once} at once: one in its place, one load beside it'
    before = loads()
    assert chat('real') == 200 and loads() == before, 'it was pushed out'
    assert gateway.stop() == 0


def an_address_is_bound_once():
    """A client that comes while the gateway starts is served, and a second gateway is told that the port is taken."""
    upstream = Upstream()
    for _ in range(5):
        port = free_port()
        policy = f'upstream u {{ url = "http://127.0.0.1:{upstream.port}" }}\n'
        with tempfile.TemporaryDirectory(prefix='abuse-') as folder:
            path = pathlib.Path(folder) / 'p.policy'
            path.write_text(f'edition 1\ngateway {{ listen = "127.0.0.1:{port}"  admin = off  workers = 4 }}\n{policy}')
            process = subprocess.Popen([BREAKWATER, 'run', str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            served = 0
            end = time.monotonic() + 20
            while served < 200 and time.monotonic() < end:
                try:
                    connection = socket.create_connection(('127.0.0.1', port), timeout=20)
                except ConnectionRefusedError:
                    continue
                with connection:
                    connection.sendall(b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
                    assert status(read_all(connection)) == 200, f'client {served} was let in and dropped'
                served += 1
            assert served == 200
            second = subprocess.run([BREAKWATER, 'run', str(path)], capture_output=True, timeout=30)
            assert second.returncode != 0 and b'the port is taken' in second.stderr, second
            process.terminate()
            assert process.wait(30) == 0


def inputs_of_the_field():
    """What proxies, servers and write-ups tell of (field_inputs.json, with the place of each): one line each, on one gateway. `request`, and
    `then` behind it, are sent; the upstream answers `answer`. `status` and `reason` are the client's; `sent…` is what the upstream got,
    `memory` whether `then` was answered without it. "@" is another number in each line."""
    plain = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'
    current = {'answer': plain}

    class Raw(Upstream):
        def serve(self, connection):
            connection.settimeout(10)
            try:
                while True:
                    buffered = b''
                    while b'\r\n\r\n' not in buffered:
                        more = connection.recv(1 << 16)
                        if not more:
                            return
                        buffered += more
                    head, _, body = buffered.partition(b'\r\n\r\n')
                    length = re.search(rb'content-length: *(\d+)', head, re.I)
                    while length and len(body) < int(length[1]):
                        body += connection.recv(1 << 16)
                    self.requests.append((head.decode('latin-1'), body.decode('latin-1')))
                    connection.sendall(current['answer'])
            except OSError:
                pass

    upstream = Raw()
    gateway = Gateway(f'''
upstream u {{ url = "http://127.0.0.1:{upstream.port}"  pool {{ size = 0 }} }}
cache c {{ key = "${{request.path}} ${{hash(request.body)}}"  ttl = 60s  shared = true  store when status in {{ 2xx, 3xx }} }}
reply no {{ status = 403  text = "no" }}
route admin {{ when request.path == "/admin" or request.path starts_with "/admin/" or request.path == "/%C3%A4dmin"  reply = no }}
route big {{ when request.json.model == "big"  reply = no }}
route cached {{ when request.path starts_with "/cached/" or request.path == "/v1/messages"  to = u  cache = c }}
route rest {{ to = u }}
''', gateway='cors = "https://chat.example"  limits { body = 4MiB }')
    rows = json.loads((pathlib.Path(__file__).resolve().parent / 'field_inputs.json').read_text())
    assert len(rows) >= 60 and all(row['source'].startswith('https://') for row in rows)
    wrong = []

    def ask(raw):
        with gateway.connect() as connection:
            connection.sendall(raw)
            got = b''
            try:
                while not is_whole(got):
                    more = connection.recv(1 << 16)
                    if not more:
                        break
                    got += more
            except OSError:
                pass
            return got

    def is_whole(got):
        head, end, body = got.partition(b'\r\n\r\n')
        if not end:
            return False
        length = re.search(rb'\r\ncontent-length: *(\d+)', head, re.I)
        return body.endswith(b'0\r\n\r\n') if b'chunked' in head else b' 304 ' in head[:14] or not length or len(body) >= int(length[1])

    for number, row in enumerate(rows):
        bytes_of = lambda name: row[name].replace('@', str(number)).encode('latin-1')
        current['answer'] = bytes_of('answer') if 'answer' in row else plain
        before = len(upstream.requests)
        got = ask(bytes_of('request'))
        sent = upstream.requests[before:]
        said = []
        head = got.partition(b'\r\n\r\n')[0].decode('latin-1').lower()
        if status(got) != row['status']:
            said.append(f'status {status(got)}')
        if 'reason' in row and f'"{row["reason"]}"'.encode() not in got and row['reason'] not in said and row['reason'].encode() not in got:
            said.append(f'not {row["reason"]}: {got[-200:]!r}')
        if (row['status'] in (400, 403, 413, 426)) != (not sent):
            said.append(f'{len(sent)} requests reached the upstream')
        if sent:
            lines = sent[0][0].lower()
            said += [f'sent without {text!r}: {sent[0][0]!r}' for text in row.get('sent_has', []) if f'\n{text}' not in lines]
            said += [f'sent with {text!r}' for text in row.get('sent_lacks', []) if f'\n{text}' in lines]
            if 'sent' in row and not sent[0][0].startswith(row['sent']):
                said.append(f'sent {sent[0][0][:100]!r}')
            if 'sent_body' in row and sent[0][1] != row['sent_body']:
                said.append(f'sent the body {sent[0][1]!r}')
        said += [f'answered without {text!r}: {head!r}' for text in row.get('client_has', []) if f'\n{text}' not in head]
        said += [f'answered with {text!r}' for text in row.get('client_lacks', []) if f'\n{text}' in head]
        if 'then' in row:
            before = len(upstream.requests)
            ask(bytes_of('then'))
            if (len(upstream.requests) == before) != row['memory']:
                said.append('answered from memory' if len(upstream.requests) == before else 'asked again')
        if said:
            wrong.append(f'{row["kind"]} {row["what"]} ({row["source"]}): ' + '; '.join(said))
    assert not wrong, '\n'.join(wrong)
    assert gateway.stop() == 0


CASES = [few_descriptors, many_bodies_of_one_address, many_bodies_of_many_addresses, many_bodies_in_a_memory_cgroup, refused_requests_are_logged, a_breaker_that_opens_says_why, bad_answers_have_a_detail, models_that_nobody_has,
         an_address_is_bound_once, inputs_of_the_field]


def main():
    global BREAKWATER
    BREAKWATER = sys.argv[1]
    chosen = [case for case in CASES if not sys.argv[2:] or case.__name__ in sys.argv[2:]]
    failed = 0
    for case in chosen:
        began = time.monotonic()
        try:
            case()
            print(f'{case.__name__}: passed in {time.monotonic() - began:.1f} s', flush=True)
        except Skipped as why:
            print(f'{case.__name__}: skipped: {why}', flush=True)
            if len(chosen) == 1:
                return 77
        except AssertionError as error:
            failed += 1
            print(f'{case.__name__}: FAILED: {str(error)[:2000]}', flush=True)
    return 1 if failed or not chosen else 0


if __name__ == '__main__':
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(20000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    sys.exit(main())
