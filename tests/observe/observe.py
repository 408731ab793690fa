"""What the tests here share: the gateway with an Ollama that fails and a server with odd habits, and load for every panel of the board."""
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
POLICY = os.path.join(HERE, "everything.policy")
sys.path.insert(0, os.path.join(HERE, "../../examples/support"))
from local import answers, free_port, self_signed, wait_for  # noqa: E402


class OddServer:
    """POST /api/generate fails after a while, /v1/chat/completions says nothing; a connection is dropped when it is used again."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    @staticmethod
    def _read(connection):
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return None
            data += more
        head, body = data.split(b"\r\n\r\n", 1)
        length = re.search(rb"(?i)content-length: (\d+)", head)
        while length and len(body) < int(length[1]):
            body += connection.recv(65536)
        return head

    def _serve(self, connection):
        with connection:
            head = self._read(connection)
            if head is None:
                return
            if b"/api/generate" in head:
                time.sleep(0.4)  # the client has been sent signs of life by then
                connection.sendall(b"HTTP/1.1 500 Oops\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n"
                                   b'{"error":"late"}')
                return
            if b"/v1/chat/completions" in head:
                body = json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
                    {"index": 0, "message": {"role": "assistant", "content": ""}, "finish_reason": "stop"}],
                    "usage": {"prompt_tokens": 3, "completion_tokens": 0, "total_tokens": 3}}).encode()
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                return
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok")
            self._read(connection)


class Gateway:
    def __init__(self, breakwater, flaky_ollama, folder, policy=POLICY, stdout=None, tokens=6):
        self.port, self.admin, self.closed, self.tls, ollama = (free_port() for _ in range(5))
        self.policy = os.path.join(folder, "running.policy")
        shutil.copy(policy, self.policy)
        certificate, key = self_signed(folder)
        self.odd = OddServer()
        self.ollama_port = ollama
        self.folder = folder
        self.ollama = subprocess.Popen([flaky_ollama, "--port", str(ollama), "--time-scale", "0.1", "--tokens", str(tokens)],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        environment = {**os.environ, "PORT": str(self.port), "ADMIN_PORT": str(self.admin), "OLLAMA_PORT": str(ollama),
                       "CLOSED_PORT": str(self.closed), "ODD_PORT": str(self.odd.port), "TLS_PORT": str(self.tls),
                       "CERTIFICATE": certificate, "KEY": key}
        self.events = open(os.path.join(folder, "events.log"), "w+b")
        self.process = subprocess.Popen([breakwater, "run", self.policy], env=environment, stderr=self.events,
                                        stdout=stdout if stdout is not None else open(os.path.join(folder, "access.log"), "wb"))
        wait_for("flaky_ollama", lambda: answers(ollama, "/api/version"))
        wait_for("the gateway", lambda: self.process.poll() is not None or answers(self.admin, "/health/ready"))
        if self.process.poll() is not None:
            self.events.seek(0)
            raise AssertionError("the gateway ended: " + self.events.read().decode())

    def stop(self):
        self.process.terminate()
        self.ollama.terminate()
        self.process.wait(60)
        self.ollama.wait(10)

    def metrics(self):
        return answers(self.admin, "/metrics")

    def control(self, path, body):
        request = urllib.request.Request(f"http://127.0.0.1:{self.ollama_port}{path}", json.dumps(body).encode(), method="POST")
        urllib.request.urlopen(request, timeout=5).read()

    def ask(self, method="POST", path="/api/chat", body=None, headers=None, timeout=30):
        """Status, body and time; status 0 where there was no whole answer."""
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            text = json.dumps(body) if body is not None else None
            connection.request(method, path, text, {"Content-Type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.read(), time.monotonic() - began
        except (OSError, http.client.HTTPException):
            return 0, b"", time.monotonic() - began
        finally:
            connection.close()

    def chat(self, text="hello", stream=True, headers=None):
        return self.ask(body={"model": "qwen3:32b", "stream": stream, "messages": [{"role": "user", "content": text}]}, headers=headers)


class Load:
    """Load for every panel, until stop(); counts what clients got."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.going = True
        self.lock = threading.Lock()
        self.statuses = {}
        self.seconds = []
        self.threads = [threading.Thread(target=self._loop, args=(work,), daemon=True)
                        for work in [self._chat] * 8 + [self._cached, self._broken, self._late, self._odd, self._bad, self._refused, self._cut, self._reload, self._no_tls]]
        for thread in self.threads:
            thread.start()

    def _loop(self, work):
        turn = 0
        while self.going:
            try:
                work(turn)
            except OSError:  # a connection that was refused
                pass
            turn += 1

    def _note(self, answer):
        status, seconds = answer[0], answer[2]
        with self.lock:
            self.statuses[status] = self.statuses.get(status, 0) + 1
            self.seconds.append(seconds)

    def _chat(self, turn):
        self._note(self.gateway.chat(f"turn {turn}"))

    def _cached(self, turn):
        self._note(self.gateway.chat("always the same", stream=False, headers={"X-Cached": "yes"}))
        time.sleep(0.05)

    def _broken(self, turn):
        self._note(self.gateway.ask("GET", "/broken"))
        time.sleep(0.1)

    def _late(self, turn):
        self._note(self.gateway.ask(path="/api/generate", body={"model": "m", "prompt": "p"}))

    def _odd(self, turn):
        self._note(self.gateway.ask("GET", "/odd/thing"))
        self._note(self.gateway.ask(path="/v1/chat/completions", body={"model": "m", "messages": []}))
        time.sleep(0.05)

    def _bad(self, turn):
        with socket.create_connection(("127.0.0.1", self.gateway.port), timeout=5) as connection:
            connection.sendall(b"BAD\r\n\r\n")
            try:
                connection.recv(1000)
            except OSError:
                pass
        time.sleep(0.2)

    def _refused(self, turn):
        connections = []
        for _ in range(60):  # more than per_address
            connections.append(socket.create_connection(("127.0.0.1", self.gateway.port), timeout=5))
        for connection in connections:
            connection.close()
        time.sleep(0.5)

    def _cut(self, turn):
        try:
            self.gateway.control("/control/fail-next", ["cut", "oom", "oom", "oom", "ok"])
        except OSError:
            pass
        time.sleep(0.5)

    def _reload(self, turn):
        """One that is refused, then one that is not."""
        with open(self.gateway.policy) as file:
            good = file.read()
        for text in (good + "\nroute { nonsense", good + f"\n# turn {turn}\n"):
            with open(self.gateway.policy, "w") as file:
                file.write(text)
            self.gateway.process.send_signal(signal.SIGHUP)
            time.sleep(1)

    def _no_tls(self, turn):
        with socket.create_connection(("127.0.0.1", self.gateway.tls), timeout=5) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            try:
                connection.recv(1000)
            except OSError:
                pass
        time.sleep(0.3)

    def stop(self):
        self.going = False
        for thread in self.threads:
            thread.join(60)
