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
        body = json.dumps({'model': 'qwen3:32b', 'stream': False, 'messages': [{'role': 'user', 'content': asked.question}]})
        self.in_flight += 1
        record.at = self.clock.now()
        try:
            async with asyncio.timeout(self.clock.real(patience)):
                record.status, headers, content = await self._exchange('POST', '/api/chat', body, record.id)
            record.got = _judge(record.status, headers, content)
        except TimeoutError:
            record.got = TIMEOUT
        except (OSError, asyncio.IncompleteReadError):
            record.got = CUT_OFF
        finally:
            record.took = self.clock.now() - record.at
            self.in_flight -= 1

    async def control(self, path, change):
        """POST to flaky_ollama's /control."""
        status, _, content = await self._exchange('POST', path, json.dumps(change), 'control')
        if status != 200:
            raise RuntimeError(f'flaky_ollama refused {change}: {content!r}')

    async def wait_until_up(self):
        while True:
            try:
                _, writer = await asyncio.open_connection('127.0.0.1', self.port)
                writer.close()
                return
            except OSError:
                await asyncio.sleep(0.001)

    def close(self):
        for _, writer in self._idle:
            writer.close()

    async def _exchange(self, method, path, body, request_id):
        reader, writer = await self._connection()
        done = False
        try:
            payload = body.encode()
            writer.write(f'{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Type: application/json\r\n'
                         f'X-Request-Id: {request_id}\r\nContent-Length: {len(payload)}\r\n\r\n'.encode() + payload)
            head = (await reader.readuntil(b'\r\n\r\n')).decode('latin-1').split('\r\n')
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(':') for line in head[1:] if line)}
            content = await reader.readexactly(int(headers['content-length']))
            done = headers.get('connection', '').lower() != 'close'
            return int(head[0].split()[1]), headers, content
        finally:
            if done:
                self._idle.append((reader, writer))
            else:
                writer.close()

    async def _connection(self):
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and reader.exception() is None and not writer.is_closing():
                return reader, writer
            writer.close()
        return await asyncio.open_connection('127.0.0.1', self.port)


class Clock:
    """Turns the time of this machine into that of the model's world, and back."""

    def __init__(self, scale):
        self.scale = scale
        self.begin = time.monotonic()

    def now(self):
        return (time.monotonic() - self.begin) / self.scale

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
