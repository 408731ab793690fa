"""A laboratory for the edge: a gateway as a process, an upstream that does what its paths say, and clients; all in one event loop.

    /stream   a line every quarter of a second until the lab says the end         /slow    waits until the lab lets it go
    /fail     status 500                                                           /cut     breaks off inside a chunk
    /big      64 MiB
    any other path: 200 and a short answer
"""
import asyncio
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/support"))
from local import free_port  # noqa: E402,F401: tests find it here


class Failure(Exception):
    pass


def hold(condition, *what):
    if not condition:
        raise Failure(" ".join(str(part) for part in what))


class Upstream:
    """An HTTP/1.1 server. `tls`: an SSLContext."""

    def __init__(self, tls=None):
        self.tls = tls
        self.end = asyncio.Event()   # of streams
        self.go = asyncio.Event()    # for /slow
        self.asked = {}              # by path
        self.loaded = asyncio.Event()  # for /api/generate without a prompt: a model is there
        self.loads = []              # bodies of such requests
        self.broken = False          # answers everything with 500
        self.cuts_streams = False    # after a second

    async def start(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls, backlog=4096)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    async def _serve(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].decode()
                self.last_head = head.decode("latin-1")
                length = re.search(rb"(?i)content-length: *(\d+)", head)
                body = await reader.readexactly(int(length[1])) if length else b""
                if path == "/api/generate" and b"prompt" not in body:
                    self.loads.append(body.decode())
                    await self.loaded.wait()
                self.asked[path] = self.asked.get(path, 0) + 1
                await self._answer(path, writer)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, path, writer):
        if path == "/stream":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")
            number = 0
            while True:
                over = self.end.is_set()
                line = json.dumps({"model": "m", "message": {"role": "assistant", "content": f"{number} "}, "done": over}).encode() + b"\n"
                writer.write(b"%x\r\n%s\r\n" % (len(line), line))
                await writer.drain()
                if over:
                    break
                if self.cuts_streams and number == 4:
                    raise ConnectionResetError
                number += 1
                try:
                    await asyncio.wait_for(self.end.wait(), 0.25)
                except asyncio.TimeoutError:
                    pass
            writer.write(b"0\r\n\r\n")
            await writer.drain()
            return
        if path == "/cut":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{\"mess")
            await writer.drain()
            raise ConnectionResetError
        if path == "/big":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % (64 << 20))
            for _ in range(1024):
                writer.write(b"x" * 65536)
                await writer.drain()
            return
        if path == "/slow":
            await self.go.wait()
        body = b'{"ok":true}'
        status = b"500 Oops" if path == "/fail" or self.broken else b"200 OK"
        writer.write(b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))
        await writer.drain()


class Gateway:
    def __init__(self, binary, policy, workers=2, environment=None, arguments=()):
        self.arguments = arguments
        self.folder = tempfile.mkdtemp(prefix="breakwater-edge-")
        self.file = os.path.join(self.folder, "gateway.policy")
        self.write(policy)
        self.binary, self.workers = binary, workers
        self.environment = dict(os.environ, **(environment or {}))
        self.events = []
        self.other = []  # lines of stderr that are no events
        self.news = asyncio.Condition()

    def write(self, policy):
        with open(self.file + ".new", "w", encoding="utf-8") as file:
            file.write(policy)
        os.replace(self.file + ".new", self.file)

    async def start(self):
        self.process = await asyncio.create_subprocess_exec(
            self.binary, "run", "--workers", str(self.workers), *self.arguments, self.file, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env=self.environment, limit=1 << 20)
        self.reading = asyncio.ensure_future(self._read())
        await self.wait("ready")
        self.admin = self.port_of("admin") or self.port_of("traffic and admin")
        return self

    async def _read(self):
        async for line in self.process.stderr:
            try:
                event = json.loads(line)
            except ValueError:
                self.other.append(line.decode(errors="replace"))
                continue
            self.events.append(event)
            async with self.news:
                self.news.notify_all()
        async with self.news:
            self.news.notify_all()

    def port_of(self, role, protocol="http", after=0):
        port = None  # the last one that was opened
        for event in self.events[after:]:
            if event.get("message") == "listening" and event.get("role") == role and event.get("protocol") == protocol:
                port = int(event["address"].rsplit(":", 1)[1])
        return port

    async def wait(self, *messages, after=0, seconds=60):
        """The first event with one of these messages from number `after` on."""
        def found():
            for number in range(after, len(self.events)):
                if self.events[number].get("message") in messages:
                    return self.events[number]
            return None
        async with self.news:
            try:
                await asyncio.wait_for(self.news.wait_for(lambda: found() or self.reading.done()), seconds)
            except asyncio.TimeoutError:
                pass
        event = found()
        hold(event, "waited for", messages, "and got", self.events[-3:], self.other[-20:])
        return event

    async def reload(self, policy):
        self.write(policy)
        after = len(self.events)
        self.process.send_signal(1)
        return await self.wait("policy reloaded", "reload refused", after=after)

    async def metrics(self):
        client = await Client.connect(self.admin)
        status, _, body = await client.request("GET", "/metrics")
        client.close()
        hold(status == 200, "no metrics:", status)
        found = {}
        for line in body.decode().splitlines():
            if line and not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                found[name.replace("breakwater_", "", 1)] = float(value)
        return found

    async def health(self):
        client = await Client.connect(self.admin)
        _, _, body = await client.request("GET", "/health/circuit-breaker")
        client.close()
        return {item["name"]: item for item in json.loads(body)["circuit_breakers"]}

    def memory(self):
        """What the process alone holds, in bytes."""
        with open(f"/proc/{self.process.pid}/smaps_rollup", encoding="utf-8") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith(("Private_", "Swap:"))) * 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    async def stop(self):
        self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), 60)
        except asyncio.TimeoutError:
            self.process.kill()
            raise Failure("the gateway did not stop")
        await self.reading
        shutil.rmtree(self.folder, ignore_errors=True)
        return self.process.returncode


class Client:
    """One kept connection."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, port, tls=None, name="localhost"):
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=name if tls else None, limit=1 << 20))

    def send(self, method, path, body=b"", headers=""):
        self.writer.write(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    async def head(self):
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        fields = {}
        for line in head.split("\r\n")[1:-2]:
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        return int(head.split(" ", 2)[1]), fields

    async def chunk(self):
        size = int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16)
        data = await self.reader.readexactly(size + 2)
        return data[:-2]

    async def request(self, method, path, body=b"", headers=""):
        self.send(method, path, body, headers)
        await self.writer.drain()
        status, fields = await self.head()
        if "content-length" in fields:
            return status, fields, await self.reader.readexactly(int(fields["content-length"]))
        text = b""
        if fields.get("transfer-encoding") == "chunked":
            while chunk := await self.chunk():
                text += chunk
        return status, fields, text

    def close(self):
        self.writer.close()


def now():
    return time.monotonic()


def drift(values, parts=3):
    """The median of the first of so many parts, and of the last: one reading that is odd says nothing."""
    size = len(values) // parts
    return sorted(values[:size])[size // 2], sorted(values[-size:])[size // 2]
