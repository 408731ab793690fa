// The npm clients `openai` and `ollama` read streams that begin with what keep_alive sends: SSE comments, blanks before the first
// line of NDJSON. What follows is an answer, an error, or an answer that breaks off.
//
//   node keep_alive_clients.mjs BREAKWATER
import { ANSWER, dialects } from '../failover/dialects.mjs';
import { startBreakwater } from '../failover/gateways.mjs';
import { Provider } from '../failover/provider.mjs';
import { clients } from './real_clients.mjs';

const LATE = { slow_ms: 700 }; // several times keep_alive
const BEGINS = { openai: /^(: keep-alive\n\n){2,}data: /, ollama: /^ {2,}\{/ };

const policy = `edition 1
gateway { listen = "127.0.0.1:0" }
upstream main {
  url = env("LARGE_URL")
  timeouts { first_token = 30s  idle = 30s  total = 60s }
}
route all { to = main  keep_alive = 100ms }
`;

// [what happens, what the model does, what the client must make of it]
const whole = { complete: true, text: ANSWER };
const stories = [
  ['an answer', LATE, whole],
  ['an answer in small frames', { ...LATE, tokens: 'letters' }, whole],
  ['an error frame', { ...LATE, cut_at: 0, cut_how: 'error' }, { complete: false, words: /an error was encountered while running the model/ }],
  ['nothing, and the end', { ...LATE, cut_at: 0, cut_how: 'fin' }, { complete: false, words: /cut/ }],
  ['half an answer', { ...LATE, cut_at: 30, cut_how: 'fin' }, { complete: false, words: /cut/ }],
];

const provider = await new Provider('large').listen();
const gateway = await startBreakwater({
  executable: process.argv[2],
  policy,
  environment: { LARGE_URL: `http://127.0.0.1:${provider.port}` },
});
let wrong = 0;
const report = (holds, name, what, seen) => {
  if (!holds) ++wrong;
  console.log(`${holds ? '  ' : '! '}${name.padEnd(7)} ${what.padEnd(30)} ${seen}`);
};

for (const [name, client] of Object.entries(clients)) {
  // What the clients are given is what this test is about.
  provider.act = () => LATE;
  const api = dialects[name];
  const answer = await fetch(`http://127.0.0.1:${gateway.port}${api.path}`, {
    method: 'POST',
    body: JSON.stringify(api.request('qwen3:32b', true, [{ role: 'user', content: 'as it is' }])),
  });
  const bytes = await answer.text();
  report(BEGINS[name].test(bytes), name, 'begins with what says nothing', JSON.stringify(bytes.slice(0, 50)));

  for (const [what, plan, expected] of stories) {
    provider.act = () => plan;
    const got = await client({ port: gateway.port, stream: true, question: what });
    const holds =
      got.complete === expected.complete && (expected.complete ? got.text === expected.text : expected.words.test(got.error));
    report(holds, name, what, got.complete ? `${got.text.length} letters of ${got.models}` : got.error);
  }
}
await gateway.stop();
await provider.close();
process.exit(wrong > 0 ? 1 : 0);
