// A client that hangs up while the gateway waits for a provider: the provider's connection ends, so the model stops.
//
//   node leaving.mjs BREAKWATER
//
// Promised are 50 ms in each state. A busy machine may wake one of the three processes late, so each state has several tries,
// of which one must keep to it and all must come to an end.
import { readFileSync } from 'node:fs';
import { ask } from './client.mjs';
import { startBreakwater } from './gateways.mjs';
import { now, Provider } from './provider.mjs';

const PROMISED_MS = 50;
const TRIES = 5;
const END_LIMIT_MS = 5000;

const HELD = { slow_ms: 60_000 };
const SILENT = { silent_ms: 60_000 };
const STALLED = { cut_at: 5, cut_how: 'stall', stall_ms: 60_000 };

// [state, what the providers do, whose connection must end]. The client leaves when that one was asked, or at the first text.
const AT_TEXT = 'within the answer';
const states = [
  ['waiting for the head', SILENT, SILENT, 'first'],
  ['held, before the first token', HELD, SILENT, 'first'],
  [AT_TEXT, STALLED, SILENT, 'first'],
  ['waiting for the second', { status: 503, message: 'overloaded' }, SILENT, 'second'],
];

const policy = readFileSync(new URL('../../policies/two-models.policy', import.meta.url), 'utf8');
const until = async (holds) => {
  const limit = now() + END_LIMIT_MS;
  while (!holds() && now() < limit)
    await new Promise((resolve) => {
      setTimeout(resolve, 1);
    });
  return holds();
};

const first = await new Provider('first').listen();
const second = await new Provider('second').listen();
const gateway = await startBreakwater({
  executable: process.argv[2],
  policy: policy.replace(/(breaker|health|retry) \{[^}]*\}/g, ''), // one would let nothing through, one makes waits
  environment: { LARGE_URL: `http://127.0.0.1:${first.port}`, SMALL_URL: `http://127.0.0.1:${second.port}` },
});
let broken = 0;
for (const dialect of ['openai', 'ollama', 'anthropic']) {
  for (const [state, firstDoes, secondDoes, whose] of states) {
    const provider = whose === 'first' ? first : second;
    const times = [];
    first.act = () => firstDoes;
    second.act = () => secondDoes;
    for (let number = 0; number < TRIES; ++number) {
      first.reset();
      second.reset();
      const call = new AbortController();
      const answer = ask({
        port: gateway.port,
        dialect,
        limit_ms: 60_000,
        signal: call.signal,
        leave_when: (result) => state === AT_TEXT && result.text !== '',
      });
      if (state !== AT_TEXT) {
        if (!(await until(() => provider.attempts.length > 0))) break;
        call.abort();
      }
      const { left_at } = await answer;
      if (!(await until(() => provider.attempts[0]?.gone_at !== undefined))) break;
      times.push(provider.attempts[0].gone_at - left_at);
    }
    const holds = times.length === TRIES && Math.min(...times) <= PROMISED_MS;
    if (!holds) ++broken;
    console.log(
      `${holds ? '  ' : '! '}${dialect.padEnd(9)} ${state.padEnd(30)} ${times.map((time) => time.toFixed(1)).join(', ')} ms`,
    );
  }
}
await gateway.stop();
await Promise.all([first.close(), second.close()]);
process.exit(broken > 0 ? 1 : 0);
