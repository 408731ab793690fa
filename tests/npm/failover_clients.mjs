// The npm clients `openai` and `ollama` through the shipped policy for two models: whole answers and streams, normal and broken.
//
//   node failover_clients.mjs BREAKWATER
import { readFileSync } from 'node:fs';
import { ANSWER } from '../failover/dialects.mjs';
import { scaleTimes, startBreakwater } from '../failover/gateways.mjs';
import { Provider } from '../failover/provider.mjs';
import { clients } from './real_clients.mjs';

const SCALE = 0.05;
const LARGE = 'qwen3:32b';
const policy = readFileSync(new URL('../../policies/two-models.policy', import.meta.url), 'utf8');
const continues = /on_cut\s*=\s*continue/.test(policy);
const small = /"model": "([^"]*)"/.exec(policy)?.[1] ?? LARGE;

const whole = (...models) => ({ text: ANSWER, complete: true, models });
const honest = (words) => ({ complete: false, words });
const rescued = (words) => (continues ? { text: ANSWER, complete: true } : honest(words));

// [what happens, what the large one does, what a stream comes to, what a whole answer comes to, what the small one does]
const stories = [
  ['nothing', {}, whole(LARGE), whole(LARGE)],
  ['overloaded', { status: 503, message: 'overloaded' }, whole(small), whole(small)],
  ['silent before the first token', { silent_ms: 60_000 }, whole(small), undefined],
  ['an error frame before the first token', { cut_at: 0, cut_how: 'error' }, whole(small), undefined],
  ['cut in the middle', { cut_at: 30, cut_how: 'fin' }, rescued(/cut/), whole(small)],
  ['reset in the middle', { cut_at: 30, cut_how: 'reset' }, rescued(/cut|JSON/), whole(small)],
  ['ends in the middle as if complete', { cut_at: 30, cut_how: 'clean' }, rescued(/cut|incomplete/), whole(small)],
  ['stands still in the middle', { cut_at: 30, cut_how: 'stall', stall_ms: 60_000 }, rescued(/still/), whole(small)],
  ['an error frame in the middle', { cut_at: 30, cut_how: 'error' }, rescued(/error/), undefined],
  [
    'cut, and the small one begins anew',
    { cut_at: 30, cut_how: 'fin' },
    rescued(/cut/),
    undefined,
    { prefill: 'refuse', tokens: 'letters' },
  ],
  [
    'cut, and the small one says otherwise',
    { cut_at: 30, cut_how: 'fin' },
    honest(/cut/),
    undefined,
    { prefill: 'refuse', answer: 'In other words: it depends.' },
  ],
  ['no last word', { no_sentinel: true }, whole(LARGE), whole(LARGE)],
  [
    'refused by its filter',
    { status: 400, message: 'rejected by the safety system', code: 'content_policy_violation' },
    honest(/rejected by the safety system/),
    honest(/rejected by the safety system/),
  ],
];

const providers = await Promise.all(['large', 'small'].map((name) => new Provider(name).listen()));
const gateway = await startBreakwater({
  executable: process.argv[2],
  // So many failures in a row are not what the breaker is tried with here.
  policy: scaleTimes(policy, SCALE).replace(/failures\((\w+)\) >= \d+/g, 'failures($1) >= 1000'),
  environment: {
    LARGE_URL: `http://127.0.0.1:${providers[0].port}`,
    SMALL_URL: `http://127.0.0.1:${providers[1].port}`,
  },
});
let wrong = 0;
for (const [name, client] of Object.entries(clients)) {
  for (const [what, plan, ofStream, ofWhole, smallPlan = {}] of stories) {
    for (const [stream, expected] of [
      [true, ofStream],
      [false, ofWhole],
    ]) {
      if (!expected) continue;
      let on_text;
      const until = new Promise((resolve) => {
        on_text = resolve;
      }); // a stream breaks off when the client has some of it
      providers[0].act = () => ({ ...plan, ...(plan.cut_at > 0 && stream ? { until } : {}) });
      providers[1].act = () => smallPlan;
      const got = await client({ port: gateway.port, stream, question: what, on_text });
      const holds =
        got.complete === expected.complete &&
        (expected.complete
          ? got.text === expected.text && (!expected.models || got.models.join() === expected.models.join())
          : expected.words.test(got.error));
      if (!holds) ++wrong;
      console.log(
        `${holds ? '  ' : '! '}${name.padEnd(7)} ${(stream ? 'stream' : 'whole').padEnd(7)} ${what.padEnd(40)} ` +
          (got.complete
            ? `${got.text === ANSWER ? 'the whole answer' : `${got.text.length} letters`} of ${got.models}`
            : got.error),
      );
    }
  }
}
await gateway.stop();
await Promise.all(providers.map((provider) => provider.close()));
process.exit(wrong > 0 ? 1 : 0);
