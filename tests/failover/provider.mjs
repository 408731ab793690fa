// A provider that answers as it is told to: healthy, or broken in one exact way. It speaks HTTP by itself, because a server
// library can't reset a connection before its answer, end a chunked body without the last chunk, or fall silent within one.
// Every attempt is kept with its monotonic time. Use: listen(), set `act`, read `attempts`.
import { createServer } from 'node:net';
import { ANSWER, describe, dialectOf, tokenisers } from './dialects.mjs';

const REASONS = {
  200: 'OK',
  400: 'Bad Request',
  404: 'Not Found',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

export const now = () => performance.now();

export class Provider {
  // `act(attempt)` returns what is done with it; {} is a healthy answer:
  //   status, message, code, headers   an error answer
  //   reset                            the connection is reset before any byte of an answer
  //   silent_ms                        nothing at all for so long, then the connection ends
  //   slow_ms                          so long between the head and the first frame
  //   cut_at, cut_how                  ends there: 'fin' (no last chunk), 'reset', 'clean' (as if complete), 'error' (an error
  //                                    frame, then cleanly), 'stall' (silent for stall_ms, then the connection ends);
  //                                    cut_at counts content frames, cut_at_byte bytes of the body
  //   until                            a promise: it breaks off when that is kept, so that what was sent can have arrived
  //   malformed_at                     a frame that is no JSON before that content frame
  //   no_sentinel                      without the dialect's last word
  //   prefill                          'continue', 'refuse', or 'ignore' (a new turn from the beginning)
  //   answer, tokens                   another text; how it is cut into frames (tokenisers)
  // attempt: { number, at, model, path, stream, prefill, body } and, later, action, sent, gone_at, ended_at (times in ms), and
  // outcome: 'complete' (the dialect's terminal mark went out), 'broken', or undefined where both can be said.
  constructor(name) {
    this.name = name;
    this.act = () => ({});
    this.attempts = [];
    this.checks = 0; // GETs that were no attempt
    this.isHealthy = () => true;
    this.sockets = new Set();
    this.server = createServer((socket) => this.#serve(socket));
  }

  async listen() {
    await new Promise((resolve, reject) => this.server.once('error', reject).listen(0, '127.0.0.1', resolve));
    this.port = this.server.address().port;
    return this;
  }

  async close() {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  reset() {
    this.attempts = [];
    this.checks = 0;
  }

  #serve(socket) {
    this.sockets.add(socket);
    socket.setNoDelay(true);
    const connection = { socket, input: Buffer.alloc(0), busy: undefined };
    socket.on('data', (bytes) => {
      connection.input = Buffer.concat([connection.input, bytes]);
      this.#next(connection);
    });
    socket.on('error', () => {});
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      this.sockets.delete(socket);
      connection.busy?.onGone();
    });
  }

  #next(connection) {
    if (connection.busy) return;
    const request = takeRequest(connection);
    if (!request) return;
    const dialect = request.method === 'POST' ? dialectOf(request.path) : undefined;
    if (!dialect) {
      ++this.checks;
      const status = request.method === 'GET' && !this.isHealthy() ? 503 : request.method === 'GET' ? 200 : 404;
      connection.socket.write(head(status, { 'Content-Type': 'application/json', 'Content-Length': '2' }) + '{}');
      this.#next(connection);
      return;
    }
    this.#attempt(connection, dialect, request);
  }

  #attempt(connection, dialect, request) {
    const { socket } = connection;
    const body = JSON.parse(request.body);
    const last = body.messages.at(-1);
    const attempt = {
      number: this.attempts.length + 1,
      at: now(),
      provider: this.name,
      model: body.model,
      path: request.path,
      stream: dialect.wantsStream(body),
      prefill: last?.role === 'assistant' ? last.content : undefined,
      body,
      headers: request.headers,
      sent: 0,
    };
    this.attempts.push(attempt);
    const plan = { prefill: 'continue', answer: ANSWER, tokens: 'words', ...this.act(attempt) };
    const timers = new Set();
    const after = (ms, then) => {
      const timer = setTimeout(() => {
        timers.delete(timer);
        then();
      }, ms);
      timers.add(timer);
    };
    const finish = (action) => {
      attempt.action ??= action;
      attempt.ended_at = now();
      connection.busy = undefined;
      this.onEnd?.(attempt);
    };
    connection.busy = {
      onGone: () => {
        timers.forEach(clearTimeout);
        if (attempt.ended_at === undefined) {
          attempt.gone_at = now();
          finish(`${attempt.action ?? 'answering'}, client gone`);
        }
      },
    };
    const write = (bytes) => {
      attempt.sent += Buffer.byteLength(bytes);
      socket.write(bytes);
    };
    const keepAlive = (action) => {
      finish(action);
      this.#next(connection);
    };
    const end = (how, action) => {
      finish(action);
      if (how === 'reset') socket.resetAndDestroy();
      else socket.end();
    };

    attempt.outcome = 'broken';
    if (plan.reset) return end('reset', 'reset');
    if (plan.silent_ms) {
      attempt.action = 'silent';
      return after(plan.silent_ms, () => end('fin', 'silent'));
    }
    if (plan.status) return this.#error(plan, dialect, write, keepAlive);
    if (attempt.prefill !== undefined && (plan.prefill === 'refuse' || dialect.refusesPrefill?.(attempt.prefill))) {
      attempt.refused_prefill = true;
      const message =
        'This model does not support assistant message prefill. The conversation must end with a user message.';
      return this.#error({ status: 400, message, code: 'invalid_prefill' }, dialect, write, keepAlive);
    }

    const continues =
      attempt.prefill !== undefined && plan.prefill === 'continue' && plan.answer.startsWith(attempt.prefill);
    const text = continues ? plan.answer.slice(attempt.prefill.length) : plan.answer;
    const id = `chatcmpl-${this.name}-${attempt.number}`;
    const answer = describe({
      id,
      model: body.model,
      messages: body.messages,
      tokens: tokenisers[plan.tokens](text),
      includeUsage: dialect.wantsUsage(body),
    });
    if (!attempt.stream) return this.#whole(plan, dialect, answer, attempt, { write, after, keepAlive, end });
    attempt.action = continues ? '200 stream, continued' : '200 stream';
    this.#stream(plan, dialect, answer, attempt, { write, after, keepAlive, end });
  }

  #error({ status, message, code, headers = {} }, dialect, write, keepAlive) {
    const body = JSON.stringify(dialect.error(status, message, code));
    write(
      head(status, {
        'Content-Type': 'application/json',
        'Content-Length': String(Buffer.byteLength(body)),
        ...headers,
      }) + body,
    );
    keepAlive(String(status));
  }

  #whole(plan, dialect, answer, attempt, { write, after, keepAlive, end }) {
    let body = Buffer.from(JSON.stringify(dialect.wholeAnswer(answer)));
    const header = head(200, { 'Content-Type': 'application/json', 'Content-Length': String(body.length) });
    const go = () => {
      const breaks = plan.cut_at !== undefined || plan.cut_at_byte !== undefined;
      if (!breaks) {
        write(header);
        write(body);
        attempt.outcome = 'complete';
        return keepAlive('200');
      }
      const kept = plan.cut_at_byte !== undefined ? plan.cut_at_byte % body.length : Math.floor(body.length * 0.6);
      body = body.subarray(0, kept);
      write(header);
      write(body);
      attempt.action = `200, broken after ${kept} bytes`;
      if (plan.cut_how === 'stall') return after(plan.stall_ms, () => end('fin'));
      end(plan.cut_how === 'reset' ? 'reset' : 'fin');
    };
    if (plan.slow_ms) after(plan.slow_ms, go);
    else go();
  }

  #stream(plan, dialect, answer, attempt, { write, after, keepAlive, end }) {
    let frames = dialect.frames(answer);
    if (plan.no_sentinel) frames = dialect.withoutSentinel(frames);
    if (plan.malformed_at !== undefined) {
      const at = nthContent(frames, plan.malformed_at);
      frames.splice(at, 0, { text: dialect.malformedFrame(answer) });
    }
    let bytes = Buffer.from(frames.map((frame) => frame.text).join(''));
    const toEnd = frames
      .slice(0, frames.findIndex((frame) => frame.isEnd) + 1)
      .map((frame) => frame.text)
      .join('');
    let breaks = true;
    if (plan.cut_at_byte !== undefined) bytes = bytes.subarray(0, plan.cut_at_byte % bytes.length);
    else if (plan.cut_at !== undefined)
      bytes = Buffer.from(
        frames
          .slice(0, nthContent(frames, plan.cut_at))
          .map((frame) => frame.text)
          .join(''),
      );
    else breaks = false;
    // A server that reports an error has its wits: it ends a frame before it begins another.
    if (plan.cut_how === 'error') bytes = bytes.subarray(0, wholeFrames(bytes, dialect));

    write(
      head(200, { 'Content-Type': dialect.streamType, 'Cache-Control': 'no-cache', 'Transfer-Encoding': 'chunked' }),
    );
    const go = () => {
      for (const piece of pieces(bytes)) write(chunk(piece));
      attempt.outcome = outcomeOf(bytes.length, Buffer.from(toEnd), plan.cut_how);
      if (!breaks) {
        write('0\r\n\r\n');
        return keepAlive();
      }
      attempt.action = `200 stream, ${plan.cut_how ?? 'fin'} after ${bytes.length} bytes`;
      if (plan.until) plan.until.then(breakOff);
      else breakOff();
    };
    const breakOff = () => {
      if (attempt.ended_at !== undefined) return; // the client has gone
      switch (plan.cut_how) {
        case 'stall':
          return after(plan.stall_ms, () => end('fin'));
        case 'error':
          write(chunk(Buffer.from(dialect.errorFrame('an error was encountered while running the model'))));
          write('0\r\n\r\n');
          return keepAlive();
        case 'clean':
          write('0\r\n\r\n');
          return keepAlive();
        default:
          return end(plan.cut_how ?? 'fin');
      }
    };
    if (plan.slow_ms) after(plan.slow_ms, go);
    else go();
  }
}

function head(status, headers) {
  const lines = Object.entries({ Date: new Date().toUTCString(), Connection: 'keep-alive', ...headers });
  return `HTTP/1.1 ${status} ${REASONS[status] ?? 'OK'}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
}

const chunk = (bytes) => Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);

// How many bytes of a stream are whole frames.
function wholeFrames(bytes, dialect) {
  const at = bytes.lastIndexOf(dialect.separator);
  return at < 0 ? 0 : at + dialect.separator.length;
}

// What an answer is that ends after `sent` bytes; `toEnd` goes up to and with the frame that completes it. The white space behind
// that frame may be missing or not, and what a reset leaves of what was sent before it is a matter of luck.
function outcomeOf(sent, toEnd, how) {
  const needed = Buffer.byteLength(toEnd.toString().trimEnd());
  if (sent < needed || how === 'error') return 'broken';
  return sent < toEnd.length || how === 'reset' ? undefined : 'complete';
}

// Chunks that do not end where frames do: whoever reads them must not rely on it.
function* pieces(bytes) {
  for (let at = 0, size = 97; at < bytes.length; at += size, size = 61 + ((size * 31) % 200))
    yield bytes.subarray(at, at + size);
}

// Where the frame with content number `count` (from 0) stands, or would stand.
function nthContent(frames, count) {
  let seen = 0;
  for (let at = 0; at < frames.length; ++at) if (frames[at].isContent && seen++ === count) return at;
  return frames.length;
}

// One request with its body from a connection's bytes; nothing if it is not all there yet.
function takeRequest(connection) {
  const end = connection.input.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [first, ...lines] = connection.input.subarray(0, end).toString('latin1').split('\r\n');
  const [method, target] = first.split(' ');
  const headers = Object.fromEntries(
    lines.map((text) => {
      const colon = text.indexOf(':');
      return [text.slice(0, colon).trim().toLowerCase(), text.slice(colon + 1).trim()];
    }),
  );
  const framed = takeBody(headers, connection.input.subarray(end + 4));
  if (!framed) return undefined;
  connection.input = connection.input.subarray(end + 4 + framed.length);
  return { method, path: target.split('?')[0], headers, body: framed.body.toString() };
}

function takeBody(headers, bytes) {
  if (!/chunked/i.test(headers['transfer-encoding'] ?? '')) {
    const length = Number(headers['content-length'] ?? 0);
    return bytes.length < length ? undefined : { length, body: bytes.subarray(0, length) };
  }
  const parts = [];
  for (let at = 0; ;) {
    const end = bytes.indexOf('\r\n', at);
    if (end < 0) return undefined;
    const size = parseInt(bytes.subarray(at, end).toString(), 16);
    if (bytes.length < end + 2 + size + 2) return undefined;
    if (size === 0) return { length: end + 4, body: Buffer.concat(parts) };
    parts.push(bytes.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}
