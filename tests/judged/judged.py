#!/usr/bin/env python3
"""What conditions see of a request is what the server behind reads of it, or the request is refused: random targets, headers and bodies go
through the gateway; what it forwards, with what its conditions saw, is read by nginx, Node, Python and Go. Real requests must not be
refused. With --planted each fault of FAULTS must be found within 1,000 requests.

    judged.py BREAKWATER [--requests 100000] [--seed 1] [--real] [--planted] [--without-go]      exit code 1: a difference
"""
import argparse
import atexit
import base64
import importlib.util
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import zlib

HERE = pathlib.Path(__file__).resolve().parent
PLANTED_WITHIN = 1000
FAULTS = ['path_is_sent_raw', 'slashes_are_decoded', 'dots_are_kept', 'first_query_wins', 'query_in_any_case', 'headers_are_joined',
          'connection_hides_from_the_server_only', 'first_member_wins', 'members_in_other_letters']

POLICY = '''edition 1
gateway { listen = "127.0.0.1:PORT"  admin = off  workers = 1  access_log = off }
upstream all {
  url = "http://127.0.0.1:UPSTREAM"
  dialect = openai
  header["X-Judged-Method"] = "${request.method}"
  header["X-Judged-Path"] = "${request.path}"
  header["X-Judged-Admin"] = "${request.query["admin"] ?? "(absent)"}"
  header["X-Judged-Role"] = "${request.header["X-Role"] ?? "(absent)"}"
  header["X-Judged-Accept"] = "${request.header["Accept"] ?? "(absent)"}"
  header["X-Judged-Cookie"] = "${request.header["Cookie"] ?? "(absent)"}"
  rewrite = json { "judged": { "is": true, "model": "${request.json.model}", "n": "${request.json.options.n}" } }
}
route refused { when request.path == "/admin" or request.path starts_with "/admin/"  reply = no }
reply no { status = 403  text = "no" }
route others { to = all }
'''

NGINX = '''daemon off; master_process off; worker_processes 1; pid DIR/nginx.pid; error_log DIR/nginx.err crit;
events { worker_connections 64; }
http {
  log_format told escape=json '{"case":"$http_x_case","method":"$request_method","uri":"$uri","admin":"$arg_admin","role":"$http_x_role","status":"$status"}';
  client_body_temp_path DIR/b; proxy_temp_path DIR/p; fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
  client_max_body_size 64m; large_client_header_buffers 8 64k; keepalive_requests 1000000;
  server { listen unix:SOCKET; access_log DIR/told told; location / { return 200 "x"; } }
}
'''

spec = importlib.util.spec_from_file_location('json_differential', HERE.parent / 'json' / 'differential.py')
json_texts = importlib.util.module_from_spec(spec)
spec.loader.exec_module(json_texts)


# ---- Random requests -------------------------------------------------------------------------------------------------

SEGMENTS = [b'v1', b'models', b'chat', b'completions', b'admin', b'public', b'Qwen%2FQwen3', b'ft:gpt-4o:org', b'a+b', b'%E4%BD%A0', b'a', b'x', b'api', b'']
PATH_DIRT = [b'/', b'//', b'.', b'..', b'/../', b'/./', b'%2e', b'%2E%2e', b'%2f', b'%2F', b'%5c', b'\\', b';', b';a=b', b'..;', b'%3b', b'%00', b'%25', b'%252e', b'%252f',
             b'%c0%ae', b'%c0%af', b'%e0%80%af', b'\xc3\xbc', b'\xff', b'%u002e', b'+', b'%20', b'%09', b'%0a', b'%0d%0a', b'|', b'{', b'}', b'^', b'`', b'#', b'"', b'<', b'*', b'%zz', b'%', b'%41',
             b'%61dmin', b'%2561', b'ADMIN', b'~', b'%7e', b'@', b':', b'%40', b'!', b"'", b'(', b'%28', b',', b'=', b'&', b'%26', b'[', b'%5B', b'%7C', b'%7f', b'%80', b'$']
QUERIES = [b'admin=1', b'admin=0', b'admin', b'admin=', b'Admin=1', b'ADMIN', b'%61dmin=1', b'adm%69n=2', b'admin[]=1', b'admin%5B%5D=1', b'x=1;admin=2', b'admin=1;x', b'admin=%zz',
           b'admin=a+b', b'admin=a%20b', b'admin=a%2Bb', b'admin=%C3%BC', b'admin=\xc3\xbc', b'admin=%ff', b'admin%00=1', b'?admin=2', b'admin=1#x', b'a=b', b'key=v', b'x', b'', b'=1', b'admin=%26',
           b'admin=1%26admin=2', b'x=%', b'x=100%25', b'x=\\d', b'x="y"', b'x=<a>', b'x={y}', b'x=a|b', b"x='y'", b'+admin=1', b'admin+=1', b'%20admin=1', b'amp;admin=1', b'api-version=2024-10-21']
HEADERS = [b'X-Role: user', b'X-Role: admin', b'x-role: user', b'X-ROLE:user', b'X-Role:  a b ', b'X-Role:', b'X-Role: a,b', b'X_Role: admin', b'X-Role : a', b'X-Role: \xc3\xbc', b'X-Role: a\tb',
           b'Connection: x-role', b'Connection: keep-alive, X-Role', b'Connection: keep-alive', b'Connection: accept', b'Connection: cookie', b'Accept: application/json', b'Accept: text/event-stream',
           b'accept: */*', b'Cookie: a=1', b'Cookie: b=2', b'Cookie: a=1; b=2', b'X-Original-URL: /admin', b'X-Rewrite-URL: /admin', b'X-HTTP-Method-Override: DELETE', b'X-Judged-Path: /x',
           b'Content-Language: de', b'X-Other: 1', b'User-Agent: x', b'Forwarded: for=1', b'X-Forwarded-For: 1.2.3.4', b'TE: trailers', b'Range: bytes=0-1', b' X-Role: a', b'X-Role\xc3\xbc: a']
TYPES = [b'', b'', b'application/json', b'application/json', b'application/json', b'application/json; charset=utf-8', b'application/json;charset=UTF-8', b'text/json', b'application/vnd.api+json',
         b'application/json; charset=utf-16', b'application/json; charset=utf-7', b'text/plain', b'application/x-www-form-urlencoded', b'multipart/form-data; boundary=x', b'application/JSON',
         b'text/plain, application/json']
NAMES = [b'"model"', b'"model"', b'"model"', b'"Model"', b'"MODEL"', b'"mod\\u0065l"', b'"m\\u006fdel"', b'"options"', b'"options"', b'"Options"', '"optıons"'.encode(), '"optionſ"'.encode(), b'"n"', b'"N"',
         b'"model "', b'"model\\u0000"', b'"stream"', b'"Stream"', b'"x"', b'"messages"', b'"__proto__"', b'""']
VALUES = [b'"a"', b'"b"', b'"\\u00e9"', b'"\\ud800"', '"é😀"'.encode(), b'"a\\nb"', b'1', b'1.0', b'-0', b'1e3', b'12345678901234567890', b'0.1', b'true', b'false', b'null', b'[]', b'{}', b'[{"model":"z"}]',
          b'{"n":1}', b'{"n":"x"}', b'{"N":2}', b'{"n":1,"n":2}', b'{"n":null}', b'{"model":"y"}']
METHODS = [b'GET', b'GET', b'POST', b'POST', b'POST', b'PUT', b'PATCH', b'DELETE', b'OPTIONS']


def target_of(rng):
    path = b''.join(b'/' + rng.choice(SEGMENTS) for _ in range(rng.randrange(1, 5)))
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2])):
        at = rng.randrange(len(path) + 1)
        path = path[:at] + rng.choice(PATH_DIRT) + path[at:]
    if rng.randrange(30) == 0:
        path = rng.choice([b'http://host', b'HTTP://host:80', b'https://h', b'http://u@h', b'']) + path
    if rng.randrange(2):
        path += b'?' + b'&'.join(rng.choice(QUERIES) for _ in range(rng.choice([1, 1, 1, 2])))
    return path


def object_of(rng):
    members = [rng.choice(NAMES) + b':' + rng.choice(VALUES) for _ in range(rng.randrange(5))]
    made = b'{' + b','.join(members) + b'}'
    for _ in range(rng.choice([0, 0, 0, 0, 1, 2])):
        at = rng.randrange(len(made) + 1)
        made = made[:at] + rng.choice(json_texts.DIRT) + made[at:]
    if rng.randrange(25) == 0:
        made = rng.choice([b'\xef\xbb\xbf' + made, made + b'\x00', made + made, made + b'x', made + b' \n', made.decode('utf-8', 'replace').encode('utf-16'), b' ' + made])
    return made


class Request:
    def __init__(self, method, target, headers=(), body=None, kind=b'', source=None, chunked=False):
        self.method, self.target, self.headers, self.body, self.kind, self.source, self.chunked = method, target, list(headers), body, kind, source, chunked

    def bytes(self, case):
        lines = [self.method + b' ' + self.target + b' HTTP/1.1', b'Host: gateway', b'X-Case: %d' % case] + self.headers
        if self.kind:
            lines.append(b'Content-Type: ' + self.kind)
        body = b''
        if self.body is not None:
            if self.chunked:
                lines.append(b'Transfer-Encoding: chunked')
                body = (b'%x\r\n%s\r\n' % (len(self.body), self.body) if self.body else b'') + b'0\r\n\r\n'
            else:
                lines.append(b'Content-Length: %d' % len(self.body))
                body = self.body
        return b'\r\n'.join(lines) + b'\r\n\r\n' + body


def random_request(rng):
    method = rng.choice(METHODS)
    headers = [rng.choice(HEADERS) for _ in range(rng.choice([0, 0, 1, 1, 2, 3]))]
    body, kind = None, b''
    if method in (b'POST', b'PUT', b'PATCH') or rng.randrange(8) == 0:
        body = object_of(rng) if rng.randrange(6) else json_texts.text(rng)
        kind = rng.choice(TYPES)
        if rng.randrange(15) == 0:
            headers.append(rng.choice([b'Content-Encoding: gzip', b'Content-Encoding: deflate', b'Content-Encoding: identity', b'Content-Encoding: gzip, identity', b'Content-Encoding: br']))
            if rng.randrange(3):
                body = zlib.compress(body, wbits=31 if b'gzip' in headers[-1] else 15)
    return Request(method, target_of(rng), headers, body, kind, chunked=rng.randrange(5) == 0)


# ---- The gateway, and who keeps what it forwards ---------------------------------------------------------------------

def take_message(connection, buffered):
    """One message by its length: its head, its bytes, and what is left; None at the end."""
    while b'\r\n\r\n' not in buffered:
        more = connection.recv(1 << 16)
        if not more:
            return None
        buffered += more
    end = buffered.index(b'\r\n\r\n') + 4
    head = buffered[:end]
    length = re.search(rb'\r\ncontent-length: *(\d+)\r\n', head, re.I)
    end += int(length[1]) if length else 0
    while len(buffered) < end:
        more = connection.recv(1 << 16)
        if not more:
            return None
        buffered += more
    return head, buffered[:end], buffered[end:]


WHOLE = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}]}'
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n' % len(WHOLE) + WHOLE


class Keeper(threading.Thread):
    """The server behind the gateway: keeps the bytes of each request and says 200."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.kept = []

    def run(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        buffered = b''
        while True:
            message = take_message(connection, buffered)
            if message is None:
                return
            head, whole, buffered = message
            if re.search(rb'\r\ntransfer-encoding:', head, re.I):
                self.kept.append(b'CHUNKED ' + head)  # such bodies are kept whole: it never comes
                return
            self.kept.append(whole)
            connection.sendall(ANSWER)


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Gateway:
    def __init__(self, binary, folder, fault=None):
        self.keeper = Keeper()
        self.keeper.start()
        self.port = free_port()
        policy = folder / 'judged.policy'
        policy.write_text(POLICY.replace('PORT', str(self.port), 1).replace('UPSTREAM', str(self.keeper.port)))
        environment = dict(os.environ)
        environment.pop('BREAKWATER_PLANTED_FAULT', None)
        if fault:
            environment['BREAKWATER_PLANTED_FAULT'] = fault
        self.log = open(folder / 'gateway.log', 'wb')
        self.process = subprocess.Popen([binary, 'run', str(policy)], stdout=self.log, stderr=self.log, env=environment)
        atexit.register(self.process.kill)
        self.connection = None
        end = time.monotonic() + 20
        while self.connection is None:
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit('the gateway did not start:\n' + (folder / 'gateway.log').read_text())
            try:
                self.connect()
            except OSError:
                time.sleep(0.05)
        self.buffered = b''

    def connect(self):
        self.connection = socket.create_connection(('127.0.0.1', self.port), timeout=10)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffered = b''

    def ask(self, request, case):
        """The status, the answer, and what was forwarded."""
        before = len(self.keeper.kept)
        if self.connection is None:
            self.connect()
        try:
            self.connection.sendall(request.bytes(case))
            message = take_message(self.connection, self.buffered)
        except (ConnectionResetError, BrokenPipeError):
            message = None
        if message is None:
            self.connection = None
            return 0, b'', self.keeper.kept[before:]
        head, whole, self.buffered = message
        if re.search(rb'\r\nconnection:[^\r]*close', head, re.I):
            self.connection.close()
            self.connection = None
        return int(head.split(b' ', 2)[1]), whole, self.keeper.kept[before:]

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


# ---- Who reads what was forwarded ------------------------------------------------------------------------------------

class Reader:
    def __init__(self, name, command, path, log=None):
        self.name, self.path, self.log = name, str(path), log
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        atexit.register(self.process.kill)
        end = time.monotonic() + 30
        while True:
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f'{name} did not start: {command}')
            try:
                self.connect().close()
                break
            except OSError:
                time.sleep(0.05)
        self.log_at = 0

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(60)
        connection.connect(self.path)
        return connection

    def read(self, messages):
        """What it read of each, in their order; None: it refused that one."""
        told = []
        while len(told) < len(messages):
            connection = self.connect()
            rest = messages[len(told):]
            writer = threading.Thread(target=self.send, args=(connection, rest), daemon=True)
            writer.start()
            buffered = b''
            before = len(told)
            for _ in rest:
                try:
                    message = take_message(connection, buffered)
                except ConnectionResetError:
                    message = None
                if message is None:
                    break
                head, whole, buffered = message
                if b' 200 ' not in head[:20]:
                    break
                told.append(whole[len(head):])
            connection.close()
            writer.join()
            if len(told) < len(messages):
                told.append(None)  # it refused, and the connection with that
            assert len(told) > before
        if self.log is None:
            return [None if text is None else json.loads(text.decode('utf-8', 'replace')) for text in told]
        return self.from_log(told)

    @staticmethod
    def send(connection, messages):
        try:
            for at in range(0, len(messages), 50):
                connection.sendall(b''.join(messages[at:at + 50]))
        except OSError:
            pass

    def from_log(self, told):
        wanted = sum(text is not None for text in told)
        end = time.monotonic() + 10
        while True:
            with open(self.log, 'rb') as log:
                log.seek(self.log_at)
                text = log.read()
            lines = [json.loads(line.decode('latin-1'), strict=False) for line in text.splitlines()]
            read = [line for line in lines if line['status'] == '200']
            if len(read) >= wanted or time.monotonic() > end:
                break
            time.sleep(0.02)
        self.log_at += len(text)
        assert len(read) == wanted, f'{self.name} told of {len(read)} requests, not {wanted}'
        lines = iter(read)
        return [None if text is None else next(lines) for text in told]

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def start_readers(folder, with_go):
    config = folder / 'nginx.conf'
    config.write_text(NGINX.replace('SOCKET', str(folder / 'nginx.sock')).replace('DIR', str(folder)))
    readers = [Reader('nginx', [shutil.which('nginx') or '/usr/sbin/nginx', '-p', str(folder), '-e', str(folder / 'nginx.err'), '-c', str(config)], folder / 'nginx.sock', folder / 'told'),
               Reader('Node', ['node', str(HERE / 'readers' / 'reader.mjs'), str(folder / 'node.sock')], folder / 'node.sock'),
               Reader('Python', [sys.executable, str(HERE / 'readers' / 'reader.py'), str(folder / 'python.sock')], folder / 'python.sock')]
    if with_go:
        made = folder / 'reader'
        subprocess.run(['go', 'build', '-o', str(made), str(HERE / 'readers' / 'reader.go')], check=True, env=dict(os.environ, GOCACHE=str(folder / 'gocache'), GOFLAGS='-mod=mod'))
        readers.append(Reader('Go', [str(made), str(folder / 'go.sock')], folder / 'go.sock'))
    return readers


# ---- Do they agree? --------------------------------------------------------------------------------------------------

def blanks(text):
    return re.sub(r'[\x00-\x1f\x7f]', ' ', text)


def header_of(head, name):
    found = re.search(rb'\r\n' + name.encode() + rb': ?([^\r]*)\r\n', head, re.I)
    return found[1] if found else None


def one_half(text):
    """Halves of pairs stand for nothing: U+FFFD, however many a reader makes of one."""
    return re.sub('[\ud800-\udfff\ufffd]+', '\ufffd', text.encode('utf-16', 'surrogatepass').decode('utf-16', 'replace'))


def value_of(value):
    """Values as far as all can tell them: a merge patch, which tells what conditions saw, has no null within an object, and JavaScript no
    whole number beyond its doubles and no infinite one."""
    if isinstance(value, str):
        return one_half(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        return float(value) if abs(float(value)) != float('inf') else None
    if isinstance(value, list):
        return [value_of(v) for v in value]
    return {one_half(name): value_of(v) for name, v in value.items() if value_of(v) is not None}


JSON_TYPES = re.compile(rb'(application|text)/([^;,]*\+)?json *($|;)', re.I)


class Judged:
    """What the conditions saw, as the gateway wrote it into what it forwarded."""

    def __init__(self, forwarded):
        end = forwarded.index(b'\r\n\r\n') + 4
        head, body = forwarded[:end], forwarded[end:]
        self.method = header_of(head, 'X-Judged-Method')
        self.path = urllib.parse.unquote_to_bytes(header_of(head, 'X-Judged-Path'))
        self.admin = header_of(head, 'X-Judged-Admin')
        self.headers = {name: header_of(head, 'X-Judged-' + name[2:] if name == 'x-role' else 'X-Judged-' + name) for name in ('x-role', 'accept', 'cookie')}
        self.body = body
        self.json = None
        method = forwarded.split(b' ', 1)[0]
        kind = header_of(head, 'Content-Type')
        if body and method in (b'POST', b'PUT', b'PATCH'):
            try:
                whole = json.loads(body)
                self.json = whole.get('judged') if isinstance(whole, dict) else None
            except ValueError:
                whole = None
            if kind is not None and not JSON_TYPES.match(kind):
                self.json = None  # no server that goes by the type has members of it
            elif self.json is None:
                self.json = {'is': 'not judged'}


def differences(judged, reading, name):
    if reading is None:
        return []
    found = []

    def expect(what, ours, theirs):
        if ours != theirs:
            found.append(f'{what}: conditions saw {ours!r}, {name} read {theirs!r}')

    expect('method', judged.method.decode(), reading['method'])
    if name == 'nginx':
        expect('path', re.sub(rb'/+', b'/', judged.path), re.sub(rb'/+', b'/', reading['uri'].encode('latin-1')))
        admin = urllib.parse.unquote_plus(reading['admin'].encode('latin-1').decode('utf-8', 'replace'))
        ours = '' if judged.admin == b'(absent)' else judged.admin.decode('utf-8', 'replace')
        expect('admin', blanks(ours), blanks(admin))
        expect('role', b'' if judged.headers['x-role'] == b'(absent)' else blanks(judged.headers['x-role'].decode('latin-1')).encode('latin-1'),
               blanks(reading['role']).encode('latin-1'))
        return found
    path = base64.b64decode(reading['path'])
    expect('path', judged.path, path if reading.get('decoded') else urllib.parse.unquote_to_bytes(path))
    theirs = sorted((n, blanks(v)) for n, values in reading['query'].items() for v in values)
    expect('admin', [] if judged.admin == b'(absent)' else [('admin', judged.admin.decode('utf-8', 'replace'))], theirs)
    for header, ours in judged.headers.items():
        theirs = reading['headers'].get(header)
        expect(header, blanks(ours.decode('latin-1')).encode('latin-1'), b'(absent)' if theirs is None else blanks(base64.b64decode(theirs).decode('latin-1')).encode('latin-1'))
    expect('bytes', len(judged.body), reading['bytes'])
    if judged.json is not None:
        members = reading['json'] if isinstance(reading['json'], dict) else {'model': reading['json'], 'n': reading['json']}
        for member in ('model', 'n'):
            expect(member, value_of(judged.json.get(member)), value_of(members.get(member)))
        if judged.json['is'] is not True:
            found.append('JSON that no condition saw was forwarded')
    return found


class Comparison:
    def __init__(self, readers):
        self.readers = readers
        self.requests = self.forwarded = self.differing = 0
        self.refused_by_readers = {reader.name: 0 for reader in readers}
        self.statuses = {}
        self.first = None
        self.kinds = {}  # of differences, with one of each

    def note(self, request, case, what, forwarded=b''):
        self.differing += 1
        for line in what:
            count, _ = self.kinds.get(line.split(':')[0], (0, None))
            self.kinds[line.split(':')[0]] = (count + 1, line + ' of ' + repr(forwarded))
        if self.first is None:
            self.first = f'request:\n{request.bytes(case)!r}\nforwarded:\n{forwarded!r}\n' + '\n'.join(what)

    def run(self, gateway, make, count, batch=500, stop_at=None):
        """`make` gives the request of a case. Stops behind the batch of the first difference with `stop_at`."""
        while self.requests < count and not (stop_at and self.differing):
            kept = []
            for _ in range(min(batch, count - self.requests)):
                case = self.requests
                request = make(case)
                status, answer, forwarded = gateway.ask(request, case)
                self.requests += 1
                self.statuses[status] = self.statuses.get(status, 0) + 1
                if len(forwarded) > 1 or (forwarded and header_of(forwarded[0], 'X-Case') != b'%d' % case) or (forwarded and status != 200):
                    self.note(request, case, [f'{len(forwarded)} requests came of one, status {status}'], b'\n'.join(forwarded))
                elif forwarded:
                    self.forwarded += 1
                    kept.append((case, request, forwarded[0]))
                if request.source and status != 200:
                    self.note(request, case, [f'a real request was refused: {request.source}', repr(answer)])
            if not kept:
                continue
            judged = [Judged(message) for _, _, message in kept]
            for reader in self.readers:
                readings = reader.read([message for _, _, message in kept])
                for (case, request, message), saw, reading in zip(kept, judged, readings):
                    if reading is None:
                        self.refused_by_readers[reader.name] += 1
                    found = differences(saw, reading, reader.name)
                    if found:
                        self.note(request, case, found, message)


def real_requests():
    requests = []
    for group in json.loads((HERE / 'real_requests.json').read_text()):
        for entry in group['requests']:
            method, target, *body = entry
            kind = b''
            raw = None
            if body:
                raw = body[0].encode() if isinstance(body[0], str) else json.dumps(body[0], ensure_ascii=False).encode()
                kind = (body[1] if len(body) > 1 else 'application/json').encode()
            requests.append(Request(method.encode(), target.encode(), [], raw, kind, source=group['source']))
    return requests


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('breakwater')
    parser.add_argument('--requests', type=int, default=2000)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--real', action='store_true')
    parser.add_argument('--planted', action='store_true')
    parser.add_argument('--without-go', action='store_true')
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix='judged-') as name:
        folder = pathlib.Path(name)
        readers = start_readers(folder, not options.without_go)
        try:
            return run(options, folder, readers)
        finally:
            for reader in readers:
                reader.stop()


def run(options, folder, readers):
    failed = False

    def tell(what, comparison):
        print(f'{what}: {comparison.requests} requests, {comparison.forwarded} forwarded and read by {", ".join(r.name for r in readers)}; {comparison.differing} differ; '
              f'refused by readers {comparison.refused_by_readers}; statuses {dict(sorted(comparison.statuses.items()))}', flush=True)
        if comparison.first:
            for kind, (count, one) in comparison.kinds.items():
                print(f'  {count} of kind {kind}, such as {one}')
            print(comparison.first)

    if options.planted:
        for fault in FAULTS:
            comparison = Comparison(readers)
            gateway = Gateway(options.breakwater, folder, fault)
            rng = random.Random(options.seed)
            comparison.run(gateway, lambda _: random_request(rng), PLANTED_WITHIN, batch=250, stop_at=True)
            gateway.stop()
            print(f'{fault}: ' + (f'found within {comparison.requests}' if comparison.differing else 'NOT FOUND'), flush=True)
            failed = failed or not comparison.differing
    gateway = Gateway(options.breakwater, folder)
    if options.real:
        real = real_requests()
        comparison = Comparison(readers)
        comparison.run(gateway, lambda case: real[case], len(real))
        tell('real', comparison)
        failed = failed or comparison.differing > 0 or len(real) < 500
    comparison = Comparison(readers)
    rng = random.Random(options.seed)
    comparison.run(gateway, lambda _: random_request(rng), options.requests)
    gateway.stop()
    tell('random', comparison)
    # Were nearly all refused, or nothing, nothing would be told.
    if not options.requests / 10 < comparison.forwarded < options.requests * 9 / 10:
        print('too few were forwarded, or too few refused, to tell anything')
        failed = True
    if any(count > comparison.forwarded / 20 for count in comparison.refused_by_readers.values()):
        print('a reader refused more than a twentieth')
        failed = True
    return 1 if failed or comparison.differing else 0


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # leaves nobody behind
    sys.exit(main())
