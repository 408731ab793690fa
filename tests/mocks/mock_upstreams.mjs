// A server of models that others wrote (npm @dwmkerr/mock-llm), as upstream: flaky_ollama shares our idea of one. The clients of tests/npm
// read it straight and through the gateway; and where the first of two such servers fails or is gone, nobody notices.
//
//   npm ci --prefix tests/mocks && node tests/mocks/mock_upstreams.mjs BREAKWATER
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startBreakwater } from '../failover/gateways.mjs';
import { readers } from '../npm/field_readers.mjs';

const [executable] = process.argv.slice(2);
const main = fileURLToPath(new URL('node_modules/@dwmkerr/mock-llm/dist/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'breakwater-mocks-'));

async function startMock(rules) {
  const port = await new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
  const file = join(folder, `${port}.yaml`);
  writeFileSync(file, rules);
  const child = spawn(process.execPath, [main, '--config', file], { env: { ...process.env, PORT: String(port), HOST: '127.0.0.1' }, stdio: 'ignore', cwd: folder });
  for (const limit = Date.now() + 30_000; ; ) {
    try {
      if ((await fetch(`http://127.0.0.1:${port}/health`)).ok) return { port, child };
    } catch {} // not yet
    if (Date.now() > limit) throw new Error('the mock did not start');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const echo = `rules:
  - path: "/v1/chat/completions"
    match: "@"
    response:
      status: 200
      content: |
        {"id":"chatcmpl-{{timestamp}}","object":"chat.completion","model":"{{jmes request body.model}}",
         "choices":[{"message":{"role":"assistant","content":"{{jmes request body.messages[-1].content}} to you"},"finish_reason":"stop"}]}
`;
const failing = (status) => `rules:
  - path: "/v1/chat/completions"
    match: "@"
    response:
      status: ${status}
      content: |
        {"error":{"message":"no","type":"server_error","code":null}}
`;
const chat = readers.filter(({ api }) => api === 'openai_chat');

async function whole(port) {
  const answer = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'hi' }] }),
  });
  return { status: answer.status, text: (await answer.json()).choices?.[0].message.content };
}

let wrong = 0;
const expect = (holds, what, seen) => {
  if (holds) return;
  ++wrong;
  console.log(`! ${what}: ${JSON.stringify(seen)}`);
};
const two = `edition 1
gateway { listen = "127.0.0.1:0" }
upstream first { url = env("FIRST_URL") }
upstream second { url = env("SECOND_URL") }
route all { to = [first, second] }
`;

const second = await startMock(echo);
let asked = 0;
for (const status of [200, 500, 502, 503, 529, 'gone']) {
  const first = await startMock(status === 200 ? echo : failing(status === 'gone' ? 500 : status));
  if (status === 'gone') first.child.kill('SIGKILL');
  const gateway = await startBreakwater({ executable, policy: two, environment: { FIRST_URL: `http://127.0.0.1:${first.port}`, SECOND_URL: `http://127.0.0.1:${second.port}` } });
  for (const reader of chat) {
    const straight = await reader.read(second.port);
    const through = await reader.read(gateway.port);
    asked += 1;
    expect(straight.complete && straight.text === 'hi to you', `${reader.name}: straight`, straight);
    expect(through.complete && through.text === straight.text, `${reader.name}: through, the first one says ${status}`, through);
  }
  const object = await whole(gateway.port);
  asked += 1;
  expect(object.status === 200 && object.text === 'hi to you', `a whole answer, the first one says ${status}`, object);
  await gateway.stop();
  first.child.kill('SIGKILL');
}
second.child.kill('SIGKILL');
rmSync(folder, { recursive: true, force: true });
console.log(`${asked} questions to servers of others; ${wrong} wrong`);
process.exit(wrong === 0 ? 0 : 1);
