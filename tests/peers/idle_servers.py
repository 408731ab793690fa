#!/usr/bin/env python3
"""Servers that don't keep connections for long, or have few places for them, behind Breakwater and behind nginx.

    idle_servers.py BREAKWATER

  quick    20 POSTs one by one; the server keeps a thread for each connection and has four, as llama-server does by default
  crowd    four clients at once, 50 POSTs each, at the same server
  idle 5s  the server closes connections that were idle for five seconds (Node, uvicorn, cpp-httplib); eight clients ask again after
           4.90 to 5.10 s, five times, so that some requests meet the closing

For each: how long all of it took, how many requests failed, how many connections the server saw; straight, behind nginx with its
defaults (no kept connections), behind nginx with `keepalive 16`, behind Breakwater with a policy that says only `url`. The last column
is the time by that of nginx with its defaults. Exit code 1 where a request fails behind Breakwater, or where it takes more than 1.25
times as long as behind the slower of the two nginx, and 50 ms.
"""
import http.client
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time

ANSWER = json.dumps({'object': 'chat.completion', 'model': 'm', 'choices': [
    {'index': 0, 'message': {'role': 'assistant', 'content': 'Hi'}, 'finish_reason': 'stop'}]}).encode()
QUESTION = json.dumps({'model': 'm', 'messages': [{'role': 'user', 'content': 'hi'}]}).encode()
IDLE = 5.0


class Server:
    """Threads that each serve one connection until it ends or was idle for IDLE seconds. `threads` None: one for each connection."""

    def __init__(self, threads):
        self.listener = socket.create_server(('127.0.0.1', 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.connections = 0
        self.lock = threading.Lock()
        for _ in range(threads or 1):
            threading.Thread(target=self.accept, args=(threads is None,), daemon=True).start()

    def accept(self, hands_over):
        while True:
            client, _ = self.listener.accept()
            with self.lock:
                self.connections += 1
            if hands_over:
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()
            else:
                self.serve(client)

    def serve(self, client):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.settimeout(IDLE)
        data = b''
        try:
            while True:
                while b'\r\n\r\n' not in data or len(data) < data.index(b'\r\n\r\n') + 4 + len(QUESTION):
                    more = client.recv(65536)
                    if not more:
                        return
                    data += more
                head = data[:data.index(b'\r\n\r\n')].lower()
                data = data[len(head) + 4 + len(QUESTION):]
                closes = b'connection: close' in head or b'http/1.0' in head
                time.sleep(0.002)
                client.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n' %
                               (len(ANSWER), b'Connection: close\r\n' if closes else b'') + ANSWER)
                if closes:
                    return
        except OSError:
            pass
        finally:
            client.close()


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def wait_for(port):
    for _ in range(300):
        try:
            socket.create_connection(('127.0.0.1', port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f'nobody listens on {port}')


def nginx(folder, target, keeps):
    port = free_port()
    kept = 'keepalive 16;' if keeps else ''
    headers = 'proxy_http_version 1.1; proxy_set_header Connection "";' if keeps else ''
    config = pathlib.Path(folder, f'nginx-{port}.conf')
    config.write_text(f'''daemon off; pid {folder}/nginx-{port}.pid; error_log /dev/null;
events {{}}
http {{ access_log off; client_body_temp_path {folder}/body-{port}; proxy_temp_path {folder}/proxy-{port};
  fastcgi_temp_path {folder}/f-{port}; uwsgi_temp_path {folder}/u-{port}; scgi_temp_path {folder}/s-{port};
  upstream model {{ server 127.0.0.1:{target}; {kept} }}
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://model; {headers} }} }} }}''')
    return port, subprocess.Popen(['nginx', '-c', str(config)], stderr=subprocess.DEVNULL)


def breakwater(folder, target, executable):
    port = free_port()
    policy = pathlib.Path(folder, f'{port}.policy')
    policy.write_text(f'edition 1\ngateway {{ listen = "127.0.0.1:{port}" }}\nupstream m {{ url = "http://127.0.0.1:{target}" }}\nroute all {{ to = m }}\n')
    return port, subprocess.Popen([executable, 'run', str(policy), '--workers', '1'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def ask(connection):
    try:
        connection.request('POST', '/v1/chat/completions', QUESTION, {'Content-Type': 'application/json'})
        answer = connection.getresponse()
        return answer.status == 200 and answer.read() == ANSWER
    except (OSError, http.client.HTTPException):
        connection.close()
        return False


def clients(port, count, times, pause):
    failed = [0] * count

    def one(i):
        connection = http.client.HTTPConnection('127.0.0.1', port, timeout=60)
        for n in range(times):
            if n > 0 and pause is not None:
                time.sleep(pause(i, n))
            failed[i] += not ask(connection)
        connection.close()

    threads = [threading.Thread(target=one, args=(i,)) for i in range(count)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.monotonic() - began, sum(failed)


LOADS = {
    'quick': (4, 1, 20, None),
    'crowd': (4, 4, 50, None),
    'idle 5s': (None, 8, 6, lambda i, n: 4.9 + 0.2 * ((i * 6 + n) % 11) / 10),
}


def main():
    executable = sys.argv[1]
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        print(f'{"load":9} {"behind":18} {"ms":>8} {"failed":>7} {"connections":>12} {"by nginx":>9}')
        for load, (threads, count, times, pause) in LOADS.items():
            took = {}
            for name in ('nothing', 'nginx', 'nginx, keepalive', 'breakwater'):
                server = Server(threads)
                process = None
                port = server.port
                if name.startswith('nginx'):
                    port, process = nginx(folder, server.port, 'keepalive' in name)
                elif name == 'breakwater':
                    port, process = breakwater(folder, server.port, executable)
                if process is not None:
                    wait_for(port)
                seconds, failed = clients(port, count, times, pause)
                took[name] = seconds
                by = f'{seconds / took["nginx"]:9.2f}' if 'nginx' in took else ''
                print(f'{load:9} {name:18} {seconds * 1000:8.0f} {failed:7} {server.connections:12} {by}', flush=True)
                if process is not None:
                    process.terminate()
                    process.wait()
                if name == 'breakwater':
                    slow = seconds > 1.25 * max(took['nginx'], took['nginx, keepalive']) + 0.05
                    wrong += failed > 0 or slow or (load == 'quick' and server.connections != 1)
    print('as by nginx' if wrong == 0 else f'{wrong} loads are not served as by nginx')
    sys.exit(wrong > 0)


main()
