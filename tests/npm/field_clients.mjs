// What real servers send (tests/field), read by the real clients straight and through the gateway: an answer that is whole is whole in both
// and says the same; nothing that its server did not finish is taken for whole behind the gateway, whatever the client takes it for
// without it.
//
//   node field_clients.mjs BREAKWATER [--cuts N] [--seed N]
//     --cuts: beside the lines themselves, so many of them cut anywhere, or with one that tells an error put behind a part of them
import fs from 'node:fs';
import http from 'node:http';
import { fileURLToPath } from 'node:url';
import { startBreakwater } from '../failover/gateways.mjs';
import { readers } from './field_readers.mjs';

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
  return JSON.parse(fs.readFileSync(path, 'utf8')).entries.map((entry) => ({ table, ...entry, pieces: entry.body, body: entry.body.join('') }));
});
const readersOf = (entry) => readers.filter(({ api, choices }) => api === entry.api && (choices || (entry.choices ?? 1) === 1));

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
let believed = 0; // broken answers that a client believed when it asked the server itself
const tell = (reader, entry, what, straight, through) => {
  ++wrong;
  console.log(
    `! ${reader.name}: ${entry.table}, ${entry.server}: ${entry.name}: ${what}\n    straight ${JSON.stringify(straight)}\n    through  ${JSON.stringify(through)}`,
  );
};

async function compare(reader, entry) {
  plan = entry;
  const straight = await reader.read(server.address().port, entry.choices);
  const through = await reader.read(gateway.port, entry.choices);
  ++asked;
  return { straight, through };
}

for (const entry of entries) {
  for (const reader of readersOf(entry)) {
    const { straight, through } = await compare(reader, entry);
    if (entry.is === 'complete' || entry.is === 'unfinished') {
      // What the client itself can't read (an empty event, "error": "") it can't read behind the gateway either.
      if (straight.complete && !through.complete) tell(reader, entry, 'whole, and reported as failed', straight, through);
      if (straight.complete && through.complete && through.text !== straight.text) tell(reader, entry, 'not the same', straight, through);
      if (reader.choices && through.complete && through.text !== (entry.text ?? '')) tell(reader, entry, 'not what it says', straight, through);
    } else {
      if (straight.complete) ++believed;
      if (through.complete) tell(reader, entry, 'taken for whole', straight, through);
    }
  }
}

// Cut anywhere in front of the last of its text: nobody may believe it.
let state = option('--seed', 1) * 2654435761;
const below = (count) => {
  state = (state * 1664525 + 1013904223) % 4294967296;
  return Math.floor((state / 4294967296) * count);
};
const whole = entries.filter((entry) => entry.is === 'complete' && entry.text && !entry.early_reason && readersOf(entry).length > 0);
const errors = entries.filter((entry) => entry.is === 'error' && !entry.text && !entry.held);
for (let i = 0; i < option('--cuts', 100); ++i) {
  const entry = whole[below(whole.length)];
  const at = entry.body.lastIndexOf(entry.text.slice(-1));
  const cut = { ...entry, body: entry.body.slice(0, below(Math.max(1, Math.floor(at / 2)))), end: below(2) ? 'reset' : 'clean' };
  const told = errors.filter(({ api }) => api === entry.api);
  let how = `cut at ${cut.body.length} (${cut.end})`;
  if (below(4) === 0 && told.length > 0) {  // instead of its second half
    const error = told[below(told.length)];
    cut.body = entry.pieces.slice(0, below(entry.pieces.length - 1)).join('') + error.body;
    how = `with an error behind it: ${error.name}`;
    if (cut.body.includes('"finish_reason":"stop"')) continue;
  }
  const mine = readersOf(entry);
  const reader = mine[below(mine.length)];
  const { straight, through } = await compare(reader, cut);
  if (through.complete && through.text !== entry.text) tell(reader, entry, `${how}, and taken for whole`, straight, through);
  if (straight.complete && straight.text !== entry.text) ++believed;
}

await gateway.stop?.();
server.closeAllConnections();
server.close();
console.log(`${asked} answers through ${readers.length} clients; ${believed} broken ones were believed without the gateway; ${wrong} wrong`);
process.exit(wrong === 0 ? 0 : 1);
