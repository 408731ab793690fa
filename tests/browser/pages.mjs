// Pages in Debian's Chromium: one of an origin that gateway.cors doesn't name reads nothing and starts nothing; one of an origin that it
// names reads everything it should, refusals too.
//
//   node tests/browser/pages.mjs BREAKWATER [CHROMIUM, default /usr/bin/chromium]      exit code 1: something is otherwise
import { spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const [breakwater, browser_path = '/usr/bin/chromium'] = process.argv.slice(2);
const listen = (server) => new Promise((done) => server.listen(0, '127.0.0.1', () => done(server.address().port)));
const free_port = async () => {
  const server = net.createServer();
  const port = await listen(server);
  await new Promise((done) => server.close(done));
  return port;
};

const asked = []; // what reached the model server
const chunk = (text, reason) => `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"${text}"},"finish_reason":${reason}}]}\n\n`;
const upstream = http.createServer((request, response) => {
  let body = '';
  request.on('data', (piece) => (body += piece));
  request.on('end', () => {
    asked.push(`${request.method} ${request.url}`);
    if (request.headers.origin) asked.push(`an Origin was passed on: ${request.headers.origin}`);
    response.setHeader('X-Request-Id', 'theirs');
    response.setHeader('Access-Control-Allow-Origin', '*'); // it is the gateway's to say
    if (body.includes('"stream":true')) {
      response.setHeader('Content-Type', 'text/event-stream');
      response.end(chunk('He', null) + chunk('llo', '"stop"') + 'data: [DONE]\n\n');
      return;
    }
    response.setHeader('Content-Type', 'application/json');
    response.end('{"secret":"the answer","choices":[{"index":0,"message":{"role":"assistant","content":"the answer"},"finish_reason":"stop"}]}');
  });
});
const pages = http.createServer((request, response) => {
  response.setHeader('Content-Type', 'text/html');
  response.end('<!doctype html><title>page</title>');
});

const upstream_port = await listen(upstream);
const page_port = await listen(pages);
const other_pages = http.createServer((request, response) => response.setHeader('Content-Type', 'text/html').end('<!doctype html><title>page</title>'));
const other_port = await listen(other_pages);
const port = await free_port();
const gone_port = await free_port();
const allowed = `http://127.0.0.1:${page_port}`;
const folder = mkdtempSync(join(tmpdir(), 'browser-'));
writeFileSync(join(folder, 'p.policy'), `edition 1
gateway { listen = "127.0.0.1:${port}"  admin = off  workers = 1  cors = ["${allowed}", "https://elsewhere.example"]  limits { body = 100KiB } }
upstream u { url = "http://127.0.0.1:${upstream_port}" }
upstream gone { url = "http://127.0.0.1:${gone_port}" }
reply no { status = 403  text = "no" }
route gone { when request.path == "/gone"  to = gone }
route private { when request.path == "/private"  reply = no }
route rest { when request.path != "/nowhere"  to = u }
`);
const gateway = spawn(breakwater, ['run', join(folder, 'p.policy')], { stdio: 'ignore' });
const at = `http://127.0.0.1:${port}`;
for (let i = 0; ; ++i) {
  const there = await new Promise((done) => net.connect(port, '127.0.0.1').on('connect', function () { this.destroy(); done(true); }).on('error', () => done(false)));
  if (there) break;
  if (i > 200) throw new Error('the gateway did not start');
  await new Promise((done) => setTimeout(done, 50));
}

let failures = 0;
function expect(holds, what) {
  if (holds) return;
  failures += 1;
  console.log(`FAILED: ${what}`);
}

const browser = await chromium.launch({ executablePath: browser_path, args: ['--no-sandbox'] });

// ---- What a page may try without leave: each gives what it could read.
const attempts = {
  'fetch GET': (at) => fetch(at + '/v1/models').then((r) => r.text()),
  'fetch POST of JSON': (at) => fetch(at + '/v1/chat/completions', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"model":"m","messages":[]}' }).then((r) => r.text()),
  'simple POST': (at) => fetch(at + '/v1/chat/completions', { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: '{"model":"m","messages":[]}' }).then((r) => r.text()),
  'no-cors POST': (at) => fetch(at + '/api/generate', { method: 'POST', mode: 'no-cors', body: '{"model":"m","prompt":"x"}' }).then((r) => r.text()),
  'no-cors GET': (at) => fetch(at + '/api/tags', { mode: 'no-cors' }).then((r) => r.text()),
  'no-cors GET without a referrer': (at) => fetch(at + '/api/tags', { mode: 'no-cors', referrerPolicy: 'no-referrer' }).then((r) => r.text()),
  beacon: (at) => { navigator.sendBeacon(at + '/api/generate', '{"model":"m"}'); return ''; },
  image: (at) => new Promise((done) => { const i = new Image(); i.onload = () => done('loaded'); i.onerror = () => done(''); i.src = at + '/api/tags?i'; }),
  script: (at) => new Promise((done) => { const s = document.createElement('script'); s.onload = () => done('ran'); s.onerror = () => done(''); s.src = at + '/api/tags?s'; document.head.append(s); }),
  'style sheet': (at) => new Promise((done) => { const l = document.createElement('link'); l.rel = 'stylesheet'; l.onload = () => done('loaded'); l.onerror = () => done(''); l.href = at + '/api/tags?l'; document.head.append(l); }),
  frame: (at) => new Promise((done) => { const f = document.createElement('iframe'); f.onload = () => { let text = ''; try { text = f.contentDocument.body.innerText; } catch { } done(text); }; f.src = at + '/api/tags?f'; document.body.append(f); setTimeout(() => done(''), 3000); }),
  'form POST into a frame': (at) => new Promise((done) => {
    const frame = document.createElement('iframe'); frame.name = 'target'; document.body.append(frame);
    const form = document.createElement('form'); form.method = 'POST'; form.enctype = 'text/plain'; form.target = 'target'; form.action = at + '/api/generate';
    form.innerHTML = '<input name=\'{"model":"m","x":"\' value=\'"}\'>'; document.body.append(form); form.submit(); setTimeout(() => done(''), 1000);
  }),
  'event source': (at) => new Promise((done) => { const e = new EventSource(at + '/v1/models?e'); e.onmessage = (m) => done(m.data); e.onerror = () => { e.close(); done(''); }; }),
  WebSocket: (at) => new Promise((done) => { const w = new WebSocket(at.replace('http', 'ws') + '/v1/realtime'); w.onopen = () => done('open'); w.onerror = () => done(''); }),
  'a preflight with a method of its own': (at) => fetch(at + '/api/delete', { method: 'DELETE', body: '{"model":"m"}' }).then((r) => r.text()),
};

for (const foreign of [`http://localhost:${other_port}`, `http://127.0.0.1:${other_port}`]) {  // another site, and another origin of the same
  const page = await browser.newPage();
  await page.goto(foreign);
  for (const [name, attempt] of Object.entries(attempts)) {
    asked.length = 0;
    const read = await page.evaluate(`(${attempt})(${JSON.stringify(at)}).catch(() => '')`.replace(/\.catch\(\(\) => ''\)$/, '')).catch(() => '');
    await new Promise((done) => setTimeout(done, 150));
    expect(!read, `${foreign}, ${name}: read ${JSON.stringify(read)}`);
    expect(asked.length === 0, `${foreign}, ${name}: started ${asked}`);
  }
  await page.close();
}

// ---- An allowed page.
const page = await browser.newPage();
await page.goto(allowed);
const ask = (path, init = {}) => page.evaluate(async ([url, init]) => {
  try {
    const answer = await fetch(url, init);
    return { status: answer.status, text: await answer.text(), id: answer.headers.get('x-request-id'), theirs: answer.headers.get('x-upstream-request-id') };
  } catch (error) {
    return { error: String(error) };
  }
}, [at + path, init]);
const json = { method: 'POST', headers: { 'Content-Type': 'application/json', Authorization: 'Bearer k' } };
const large = 'a'.repeat(10_000);
const wanted = [
  [200, '/v1/models', {}, 'the answer'], [200, '/v1/chat/completions', { ...json, body: '{"model":"m","messages":[]}' }, 'the answer'],
  [200, '/v1/chat/completions', { ...json, body: '{"model":"m","stream":true,"messages":[]}' }, '[DONE]'], [413, '/v1/chat/completions', { ...json, body: JSON.stringify({ x: 'a'.repeat(300_000) }) }, 'body_too_large'],
  [431, '/v1/models', { headers: { 'X-Large': large } }, 'header_too_long'], [414, '/' + large, {}, 'uri_too_long'], [431, '/v1/models', { headers: { 'X-Large': 'b'.repeat(200_000) } }, ''],
  [400, '/a/..%2fb', {}, 'path'], [404, '/nowhere', {}, 'no_route'], [403, '/private', {}, 'no'], [403, '/api/pull', { ...json, body: '{"model":"m"}' }, 'ollama_server_changes'],
  [502, '/gone', {}, 'refused'],
];
for (const [status, path, init, part] of wanted) {
  const got = await ask(path, init);
  expect(got.status === status && got.text?.includes(part), `${init.method ?? 'GET'} ${path.slice(0, 40)}: ${JSON.stringify(got).slice(0, 300)}, not ${status} with ${part}`);
  expect(got.error || got.id, `${path.slice(0, 40)}: no X-Request-Id to read`);
}
expect((await ask('/v1/models')).theirs === 'theirs', 'the upstream\'s request id can be read');
asked.length = 0;
const image = await page.evaluate((at) => new Promise((done) => { const i = new Image(); i.onload = i.onerror = () => done(''); i.src = at + '/api/tags?i'; }), at);
expect(asked.length === 1, `a picture of an allowed page is asked for: ${asked} ${image}`);
expect(!asked.some((line) => line.includes('Origin')), `${asked}`);

await browser.close();
gateway.kill();
for (const server of [upstream, pages, other_pages]) server.close();
rmSync(folder, { recursive: true });
console.log(failures === 0 ? `${Object.keys(attempts).length} attempts of foreign pages came to nothing, ${wanted.length} answers were read by an allowed one` : `${failures} failed`);
process.exit(failures === 0 ? 0 : 1);
