#!/usr/bin/env python3
"""Streams that fail after their first content, read through proxies with their default settings: does the error frame arrive? And streams
that flow: does each frame arrive before the next one is sent (nginx holds them back unless it is told otherwise)?

    error_frames.py BREAKWATER [nginx|varnish|haproxy|caddy|straight …]

Each proxy stands in front of a Breakwater whose upstream cuts its answer: at once or a second later, by a reset or an end, in the
dialects of OpenAI, Anthropic and Ollama: twelve streams each. A line for each proxy; exit code 1 where one is lost. It needs the
proxies of Debian's packages nginx-light, varnish, haproxy and caddy; one that is not there is told and left out.
"""
import http.client
import json
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

FRAMES = {
    'openai': ('/v1/chat/completions', 'text/event-stream',
               b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"He"},"finish_reason":null}]}\n\n'),
    'anthropic': ('/v1/messages', 'text/event-stream',
                  b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}\n\n'
                  b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
                  b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"He"}}\n\n'),
    'ollama': ('/api/chat', 'application/x-ndjson',
               b'{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"He"},"done":false}\n'),
}
PAUSE = 0.4  # between the frames of a stream that flows
CASES = [(dialect, wait, how) for dialect in FRAMES for wait in (0, 1) for how in ('reset', 'end')]


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def wait_for(port, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            socket.create_connection(('127.0.0.1', port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f'nobody listens on {port}')


class Upstream(threading.Thread):
    """Answers with one frame, and cuts; what to do stands in the request's model: "dialect wait how"."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]

    def run(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        data = b''
        while b'"stream"' not in data or not data.rstrip().endswith(b'}'):
            more = client.recv(65536)
            if not more:
                return
            data += more
        dialect, wait, how = json.loads(data[data.index(b'\r\n\r\n') + 4:])['model'].split()
        _, kind, frame = FRAMES[dialect]
        client.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: ' + kind.encode() + b'\r\nTransfer-Encoding: chunked\r\n\r\n' +
                       b'%x\r\n' % len(frame) + frame + b'\r\n')
        if how == 'flow':
            for _ in range(3):
                time.sleep(PAUSE)
                client.sendall(b'%x\r\n' % len(frame) + frame + b'\r\n')
        time.sleep(float(wait))
        if how == 'reset':
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        client.close()


def start(command, **options):
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)


def proxy_in_front(name, folder, port, gateway):
    """Starts the proxy; None if it is not installed."""
    binary = shutil.which({'varnish': 'varnishd'}.get(name, name)) or shutil.which(f'/usr/sbin/{name}')
    if binary is None:
        return None
    if name == 'nginx':
        config = folder / 'nginx.conf'
        config.write_text(f'daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; events {{ }}\n'
                          f'http {{ access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};\n'
                          f'uwsgi_temp_path {folder}; scgi_temp_path {folder};\n'
                          f'server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{gateway}; }} }} }}\n')
        return start([binary, '-p', str(folder), '-c', str(config)])
    if name == 'varnish':
        return start([binary, '-F', '-n', str(folder / 'varnish'), '-a', f'127.0.0.1:{port}', '-b', f'127.0.0.1:{gateway}', '-s', 'malloc,32m'])
    if name == 'haproxy':
        config = folder / 'haproxy.cfg'
        config.write_text('defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n'
                          f'listen all\n bind 127.0.0.1:{port}\n server gateway 127.0.0.1:{gateway}\n')
        return start([binary, '-f', str(config)])
    config = folder / 'Caddyfile'
    config.write_text(f'{{\n admin off\n auto_https off\n}}\nhttp://127.0.0.1:{port} {{\n reverse_proxy 127.0.0.1:{gateway}\n}}\n')
    return start([binary, 'run', '--config', str(config), '--adapter', 'caddyfile'], env={'HOME': str(folder), 'PATH': '/usr/bin:/bin'})


def ask(port, case):
    """What arrived of the answer, however it ended."""
    dialect, wait, how = case
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=20)
    received = b''
    started = time.monotonic()
    arrivals = []
    try:
        connection.request('POST', FRAMES[dialect][0], json.dumps({'model': f'{dialect} {wait} {how}', 'stream': True, 'messages': []}),
                           {'Content-Type': 'application/json'})
        answer = connection.getresponse()
        while True:
            piece = answer.read1(65536)
            if not piece:
                break
            received += piece
            arrivals.append(time.monotonic() - started)
    except http.client.IncompleteRead as cut:
        received += cut.partial
    except OSError:
        pass
    finally:
        connection.close()
    return received, arrivals


def flows(port, dialect):
    """Whether the first three of four frames came one by one, each within the pause behind it."""
    _, arrivals = ask(port, (dialect, 0, 'flow'))
    return len(arrivals) >= 3 and all(arrivals[i] < (i + 1) * PAUSE for i in range(3))


def main():
    breakwater, names = sys.argv[1], sys.argv[2:] or ['straight', 'nginx', 'varnish', 'haproxy', 'caddy']
    lost_any = False
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        upstream = Upstream()
        upstream.start()
        gateway_port = free_port()
        policy = folder / 'peers.policy'
        policy.write_text(f'edition 1\ngateway {{ listen = "127.0.0.1:{gateway_port}"  admin = off  access_log = off }}\n'
                          f'upstream m {{ url = "http://127.0.0.1:{upstream.port}" }}\n')
        processes = [start([breakwater, 'run', str(policy)])]
        try:
            wait_for(gateway_port)
            for proxy in names:
                port = gateway_port
                if proxy != 'straight':
                    port = free_port()
                    process = proxy_in_front(proxy, folder, port, gateway_port)
                    if process is None:
                        print(f'{proxy}: not installed, left out')
                        continue
                    processes.append(process)
                    wait_for(port)
                lost = [' '.join(map(str, case)) for case in CASES if b'"error"' not in ask(port, case)[0]]
                held = [dialect for dialect in FRAMES if not flows(port, dialect)]
                lost_any = lost_any or bool(lost) or bool(held)
                print(f'{proxy}: {len(CASES) - len(lost)} of {len(CASES)} error frames arrived' + (f'; lost: {", ".join(lost)}' if lost else '') +
                      f'; {len(FRAMES) - len(held)} of {len(FRAMES)} streams flow' + (f'; held back: {", ".join(held)}' if held else ''))
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(timeout=10)
    return 1 if lost_any else 0


if __name__ == '__main__':
    sys.exit(main())
