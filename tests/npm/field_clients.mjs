// What real servers send (tests/field), read by the real clients straight and through the gateway: an answer that is whole is whole in both
// and says the same; nothing that its server did not finish is taken for whole behind the gateway, whatever the client takes it for
// without it.
//
//   node field_clients.mjs BREAKWATER [--cuts N] [--seed N] [--in-front nginx,haproxy,caddy] [--only NAME] [--times N]
//     --cuts: beside the lines themselves, so many of them cut anywhere, or with one that tells an error put behind a part of them
//     --in-front: the clients come through each of these (Debian's packages, with their defaults), once with Breakwater behind it and
//     once with the server itself; and straight
//     --only: of the lines only those of that name, --times: each so often
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
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
}).filter(({ name }) => !process.argv.includes('--only') || name === process.argv[process.argv.indexOf('--only') + 1])
  .flatMap((entry) => Array(option('--times', 1)).fill(entry));
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

// ---- Who stands in front --------------------------------------------------------------------------------------------

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'clients-'));
const proxies = [];
const freePort = () =>
  new Promise((resolve) => {
    const probe = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
const answers = (port) =>
  new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.destroy(resolve(true)));
    socket.on('error', () => resolve(false));
  });
async function inFront(name, behind) {
  const port = await freePort();
  const at = fs.mkdtempSync(path.join(folder, `${name}-`));
  const config = path.join(at, 'config');
  const commands = {
    nginx: [
      ['/usr/sbin/nginx', '-p', at, '-e', `${at}/err`, '-c', config],
      `daemon off; pid ${at}/pid; error_log ${at}/err; events { } http { access_log off; client_body_temp_path ${at}/b; proxy_temp_path ${at}/p;
       fastcgi_temp_path ${at}/f; uwsgi_temp_path ${at}/u; scgi_temp_path ${at}/s;
       server { listen 127.0.0.1:${port}; location / { proxy_pass http://127.0.0.1:${behind}; } } }`,
    ],
    haproxy: [
      ['/usr/sbin/haproxy', '-f', config],
      `defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\nlisten all\n bind 127.0.0.1:${port}\n server behind 127.0.0.1:${behind}\n`,
    ],
    caddy: [
      ['/usr/bin/caddy', 'run', '--config', config, '--adapter', 'caddyfile'],
      `{\n admin off\n auto_https off\n}\nhttp://127.0.0.1:${port} {\n reverse_proxy 127.0.0.1:${behind}\n}\n`,
    ],
  };
  const [command, text] = commands[name];
  fs.writeFileSync(config, text);
  proxies.push(spawn(command[0], command.slice(1), { stdio: 'ignore', env: { HOME: at, PATH: '/usr/sbin:/usr/bin:/bin' } }));
  for (let i = 0; !(await answers(port)); ++i) {
    if (i > 200) throw new Error(`${name} did not start`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return port;
}
const names = process.argv.includes('--in-front') ? process.argv[process.argv.indexOf('--in-front') + 1].split(',') : [];
const ways = [{ name: 'straight', server: server.address().port, gateway: gateway.port }];
for (const name of names) ways.push({ name, server: await inFront(name, server.address().port), gateway: await inFront(name, gateway.port) });

let way = ways[0];
let wrong = 0;
let asked = 0;
let believed = 0; // broken answers that a client believed when it asked the server itself
const tell = (reader, entry, what, straight, through) => {
  ++wrong;
  console.log(
    `! ${way.name}, ${reader.name}: ${entry.table}, ${entry.server}: ${entry.name}: ${what}\n    straight ${JSON.stringify(straight)}\n    through  ${JSON.stringify(through)}`,
  );
};

async function compare(reader, entry) {
  plan = entry;
  const straight = await reader.read(way.server, entry.choices);
  const through = await reader.read(way.gateway, entry.choices);
  ++asked;
  return { straight, through };
}

for (way of ways) {
  const before = { asked, believed, wrong };
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
  if (ways.length > 1) {
    console.log(`${way.name}: ${asked - before.asked} scenarios; ${believed - before.believed} broken answers believed without Breakwater, ${wrong - before.wrong} wrong with it`);
  }
}
way = ways[0];

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

for (const proxy of proxies) proxy.kill();
fs.rmSync(folder, { recursive: true, force: true });
await gateway.stop?.();
server.closeAllConnections();
server.close();
console.log(`${asked} answers through ${readers.length} clients; ${believed} broken ones were believed without the gateway; ${wrong} wrong`);
process.exit(wrong === 0 ? 0 : 1);
