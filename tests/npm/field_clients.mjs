// What real servers send (tests/field), read by the real clients straight and through the gateway: an answer that is whole is whole in both
// and says the same; nothing that its server did not finish is taken for whole behind the gateway, whatever the client takes it for
// without it.
//
//   node field_clients.mjs BREAKWATER [--cuts N] [--seed N]   --cuts: beside the lines themselves, so many of them cut anywhere
import fs from 'node:fs';
import http from 'node:http';
import { fileURLToPath } from 'node:url';
import Anthropic from '@anthropic-ai/sdk';
import { Ollama } from 'ollama';
import OpenAI from 'openai';
import { startBreakwater } from '../failover/gateways.mjs';

console.warn = () => {}; // the client of Ollama tells there of every piece that it could not read

const [executable] = process.argv.slice(2);
const option = (name, otherwise) => {
  const at = process.argv.indexOf(name);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};

const policy = `edition 1
gateway { listen = "127.0.0.1:0" }
upstream main {
  url = env("LARGE_URL")
  timeouts { first_token = 5s  idle = 2s }
}
route all { to = main }
`;

const tables = ['ends', 'errors', 'life_signs', 'responses'];
const entries = tables.flatMap((table) => {
  const path = fileURLToPath(new URL(`../field/${table}.json`, import.meta.url));
  return JSON.parse(fs.readFileSync(path, 'utf8')).entries.map((entry) => ({ table, ...entry, body: entry.body.join('') }));
});

// Each client reads a stream of its API and tells what an application would believe: { complete, text, error }.
const believe = async (ask) => {
  const seen = { text: '', complete: false };
  try {
    await ask(seen);
    seen.complete = true;
  } catch (error) {
    seen.error = `${error.name}: ${error.message}`;
  }
  return seen;
};
const settings = (port, path = '') => ({ baseURL: `http://127.0.0.1:${port}${path}`, apiKey: 'none', maxRetries: 0, logLevel: 'off' });
const readers = {
  openai_chat: (port, model, choices) =>
    believe(async (seen) => {
      const client = new OpenAI(settings(port, '/v1'));
      const request = { model, n: choices, messages: [{ role: 'user', content: 'hi' }], stream: true };
      let mark = false;
      for await (const chunk of await client.chat.completions.create(request)) {
        for (const choice of chunk.choices ?? []) {
          seen.text += choice.delta?.content ?? '';
          if (choice.finish_reason) mark = true;
        }
      }
      seen.has_reason = mark;
    }),
  openai_responses: (port, model) =>
    believe(async (seen) => {
      const client = new OpenAI(settings(port, '/v1'));
      let mark = false;
      for await (const event of await client.responses.create({ model, input: 'hi', stream: true })) {
        if (event.type === 'response.output_text.delta') seen.text += event.delta;
        if (event.type === 'response.completed' || event.type === 'response.incomplete') mark = true;
        if (event.type === 'response.failed' || event.type === 'error') throw new Error(event.response?.error?.message ?? event.message ?? 'failed');
      }
      if (!mark) throw new Error('no response.completed'); // what every agent does
    }),
  anthropic_messages: (port, model) =>
    believe(async (seen) => {
      const client = new Anthropic(settings(port));
      const stream = client.messages.stream({ model, max_tokens: 9, messages: [{ role: 'user', content: 'hi' }] });
      stream.on('text', (text) => (seen.text += text));
      await stream.finalMessage();
    }),
  ollama_chat: (port, model) =>
    believe(async (seen) => {
      const client = new Ollama({ host: `http://127.0.0.1:${port}` });
      for await (const part of await client.chat({ model, messages: [{ role: 'user', content: 'hi' }], stream: true })) {
        seen.text += part.message?.content ?? '';
      }
    }),
};

let plan; // what the server does with the next request
const server = http.createServer((request, response) => {
  request.resume().on('end', () => {
    const type = plan.api.startsWith('ollama') ? 'application/x-ndjson' : 'text/event-stream';
    response.writeHead(200, { 'Content-Type': type });
    response.write(plan.body, () => (plan.end === 'reset' ? response.destroy() : response.end()));
    if (plan.body === '') plan.end === 'reset' ? response.destroy() : response.end();
  });
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const gateway = await startBreakwater({ executable, policy, environment: { LARGE_URL: `http://127.0.0.1:${server.address().port}` } });

let wrong = 0;
let asked = 0;
let believed = 0; // cut answers that a client believed when it asked the server itself
const tell = (entry, what, straight, through) => {
  ++wrong;
  console.log(`! ${entry.table}, ${entry.server}: ${entry.name}: ${what}\n    straight ${JSON.stringify(straight)}\n    through  ${JSON.stringify(through)}`);
};
const isSuccess = (is) => is === 'complete' || is === 'unfinished';

async function compare(entry) {
  plan = entry;
  const read = readers[entry.api];
  const straight = await read(server.address().port, 'm', entry.choices);
  plan = entry;
  const through = await read(gateway.port, 'm', entry.choices);
  ++asked;
  if (entry.is === undefined) return { straight, through };
  if (isSuccess(entry.is)) {
    // What the client itself can't read (an empty event, "error": "") it can't read behind the gateway either.
    if (straight.complete && !through.complete) tell(entry, 'whole, and reported as failed', straight, through);
    if (through.complete && through.text !== (entry.text ?? '')) tell(entry, 'not the same', straight, through);
  } else {
    if (straight.complete) ++believed;
    if (through.complete) tell(entry, 'taken for whole', straight, through);
  }
  return { straight, through };
}

const readable = entries.filter((entry) => entry.api in readers);
for (const entry of readable) await compare(entry);

// Cut anywhere within a whole answer, in front of its end: nobody may believe it.
let state = option('--seed', 1) * 2654435761;
const below = (count) => {
  state = (state * 1664525 + 1013904223) % 4294967296;
  return Math.floor((state / 4294967296) * count);
};
const whole = readable.filter((entry) => entry.is === 'complete' && entry.text && !entry.early_reason);
for (let i = 0; i < option('--cuts', 100); ++i) {
  const entry = whole[below(whole.length)];
  const at = entry.body.lastIndexOf(entry.text.slice(-1));
  const cut = { ...entry, body: entry.body.slice(0, below(Math.max(1, Math.floor(at / 2)))), end: below(2) ? 'reset' : 'clean', is: undefined };
  const { straight, through } = await compare(cut);
  if (through.complete && through.text !== entry.text) tell(entry, `cut at ${cut.body.length} (${cut.end}), and taken for whole`, straight, through);
  if (straight.complete && straight.text !== entry.text) ++believed;
}

await gateway.stop?.();
server.closeAllConnections();
server.close();
console.log(`${asked} answers through ${Object.keys(readers).length} clients; ${believed} broken ones were believed without the gateway; ${wrong} wrong`);
process.exit(wrong === 0 ? 0 : 1);
