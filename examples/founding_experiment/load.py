"""The people: one HTTP client for each of them, all in one event loop. Latency is what they wait, measured here."""
import asyncio
import dataclasses
import json
import time

# What a person got. The first four are answers, the others are not.
MODEL = 'model'          # from Ollama, now
CACHED = 'cached'        # from a cache that is asked before Ollama
CACHE_FALLBACK = 'cache as fallback'
FALLBACK = 'fallback'    # "is_fallback": true
TIMEOUT = 'timeout'      # patience was over
CUT_OFF = 'no connection'
ERROR = 'error'          # an answer that is none: a status of 400 or more, or half of one

SERVED = (MODEL, CACHED, CACHE_FALLBACK, FALLBACK)
FROM_THE_MODEL = (MODEL, CACHED)


@dataclasses.dataclass
class Record:
    """One request, in seconds of the model's world."""
    id: str
    at: float         # when it was sent
    frequent: bool
    parallel: int     # requests in flight, this one included
    took: float = 0.0
    got: str = ERROR
    status: int = 0


class Side:
    """One way to Ollama, and everybody who takes it."""

    def __init__(self, name, port, clock):
        self.name = name
        self.port = port
        self.clock = clock
        self.records = []
        self.in_flight = 0
        self._idle = []

    async def ask(self, number, asked, patience):
        record = Record(f'{self.name}-{number}', 0.0, asked.frequent, self.in_flight + 1)
        self.records.append(record)
        request = self._request('/api/chat', {'model': 'qwen3:32b', 'stream': False,
                                              'messages': [{'role': 'user', 'content': asked.question}]}, record.id)
        self.in_flight += 1
        record.at = self.clock.now()
        try:
            async with asyncio.timeout(self.clock.real(patience)):
                answer = await self._exchange(request)
            record.status = answer.status
            record.took = self.clock.at(answer.arrived) - record.at
            # A loop that was kept from its timer must not make people more patient than they are.
            record.got = TIMEOUT if record.took > patience else _judge(answer.status, answer.headers, answer.content)
        except TimeoutError:
            record.got = TIMEOUT
            record.took = patience
        except OSError:
            record.got = CUT_OFF
            record.took = self.clock.now() - record.at
        finally:
            self.in_flight -= 1

    async def control(self, path, change):
        """POST to flaky_ollama's /control."""
        answer = await self._exchange(self._request(path, change, 'control'))
        if answer.status != 200:
            raise RuntimeError(f'flaky_ollama refused {change}: {answer.content!r}')

    async def wait_until_up(self):
        while True:
            try:
                _, writer = await asyncio.open_connection('127.0.0.1', self.port)
                writer.close()
                return
            except OSError:
                await asyncio.sleep(0.001)

    def close(self):
        for connection in self._idle:
            connection.close()

    def _request(self, path, content, request_id):
        body = json.dumps(content).encode()
        return (f'POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Type: application/json\r\n'
                f'X-Request-Id: {request_id}\r\nContent-Length: {len(body)}\r\n\r\n').encode() + body

    async def _exchange(self, request):
        connection = await self._connection()
        try:
            answer = await connection.exchange(request)
        except BaseException:
            connection.close()
            raise
        if answer.headers.get('connection', '').lower() == 'close':
            connection.close()
        else:
            self._idle.append(connection)
        return answer

    async def _connection(self):
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        _, connection = await asyncio.get_running_loop().create_connection(_Connection, '127.0.0.1', self.port)
        return connection


@dataclasses.dataclass
class _Answer:
    status: int
    headers: dict
    content: bytes
    arrived: float   # when its last byte did, by time.monotonic()


class _Connection(asyncio.Protocol):
    """One connection, one request at a time. Notes the moment itself, so that what else the loop has to do is nobody's latency."""

    def __init__(self):
        self.is_open = True
        self._received = b''
        self._waiting = None

    def connection_made(self, transport):
        self._transport = transport

    def data_received(self, data):
        arrived = time.monotonic()
        self._received += data
        head, end, content = self._received.partition(b'\r\n\r\n')
        if not end or self._waiting is None or self._waiting.done():
            return
        status, *lines = head.decode('latin-1').split('\r\n')
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(':') for line in lines)}
        if len(content) >= int(headers['content-length']):
            self._received = b''
            self._waiting.set_result(_Answer(int(status.split()[1]), headers, content, arrived))

    def connection_lost(self, exc):
        self.is_open = False
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or ConnectionResetError('the connection ended before the answer'))

    async def exchange(self, request):
        if not self.is_open:
            raise ConnectionResetError('the connection ended before the request')
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiting

    def close(self):
        self._transport.close()


class Clock:
    """Turns the time of this machine into that of the model's world, and back."""

    def __init__(self, scale):
        self.scale = scale
        self.begin = time.monotonic()

    def now(self):
        return self.at(time.monotonic())

    def at(self, moment):
        return (moment - self.begin) / self.scale

    def real(self, seconds):
        return seconds * self.scale

    async def sleep_until(self, moment):
        await asyncio.sleep(max(0.0, (moment - self.now()) * self.scale))


def _judge(status, headers, content):
    if status != 200:
        return ERROR
    try:
        answer = json.loads(content)
    except ValueError:
        return ERROR
    if answer.get('is_fallback') is True:
        return FALLBACK
    if answer.get('done') is not True or not answer.get('message', {}).get('content'):
        return ERROR
    if 'x-breakwater-fallback' in headers:
        return CACHE_FALLBACK
    return CACHED if 'age' in headers else MODEL
