// A small proxy with one flaw of those that no policy can ask for: it shows that the harness sees them. Without a flaw it
// passes the streams of the first provider on as they come.
import { createServer, request } from 'node:http';
import { dialectOf } from './dialects.mjs';

export const flaws = {
  none: {},
  stops_at_malformed: { frame: (payload) => isJson(payload) }, // breaks the answer off
  insists_on_sentinel: { waits: true }, // for [DONE]; and passes only lines that are ended
};

const isJson = (text) => {
  try {
    return JSON.parse(text) !== undefined;
  } catch {
    return false;
  }
};

export async function startFlawed({ flaw, environment }) {
  const { frame, waits } = flaws[flaw];
  const upstream = new URL(environment.LARGE_URL);
  const server = createServer((asked, answer) => {
    const dialect = dialectOf(asked.url);
    const call = request(
      {
        host: upstream.hostname,
        port: upstream.port,
        path: asked.url,
        method: asked.method,
        headers: { 'Content-Type': 'application/json' },
      },
      (got) => {
        const { 'content-type': type, 'content-length': length } = got.headers;
        answer.writeHead(got.statusCode, { 'Content-Type': type, ...(length ? { 'Content-Length': length } : {}) });
        let rest = '';
        let seen = false;
        got.setEncoding('utf8');
        got.on('data', (text) => {
          if (got.headers['content-length']) return answer.write(text);
          const blocks = (rest + text).split(dialect.separator);
          rest = blocks.pop();
          for (const block of blocks) {
            const payload = dialect.payload(block);
            if (payload !== undefined && dialect.isSentinel(payload)) seen = true;
            else if (payload !== undefined && frame && !frame(payload)) return answer.destroy();
            answer.write(block + dialect.separator);
          }
        });
        got.on('end', () => {
          if (!waits) answer.end(rest);
          else if (dialect.name === 'ollama' || seen) answer.end(); // the line that was not ended is lost
          // else: it waits for ever
        });
        got.on('error', () => answer.destroy());
      },
    );
    call.on('error', () => answer.destroy());
    asked.pipe(call);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: server.address().port,
    headers: () => ({}),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
