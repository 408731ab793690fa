// One fault through one gateway: what the caller saw and what the providers saw.
import { ask } from './client.mjs';
import { ANSWER } from './dialects.mjs';
import { SECOND_MODEL } from './faults.mjs';
import { scaleTimes } from './gateways.mjs';
import { now, Provider } from './provider.mjs';

export const limitOf = (fault) => (fault.sequence ? fault.sequence.count * fault.sequence.interval_s : fault.limit_s);

// setup: { fault, dialect, scale, open_for_s }. how: { executable, policy, start } for a gateway of this fault's own, whose times
// are scaled, or a function that gives one that is running. Returns what judge() reads.
export async function runFault(setup, how) {
  const { fault, dialect, scale } = setup;
  const ms = (seconds) => seconds * 1000 * scale;
  const seen = {
    dialect,
    retry_after_s: scale < 1 ? 1 : 2,
    open_for_s: setup.open_for_s,
    seconds: (milliseconds) => milliseconds / 1000 / scale,
  };
  // Streams break off once the caller has some of their text; a gateway that holds it back longer than this has its reasons.
  let callerHasText;
  const shown = new Promise((resolve) => {
    callerHasText = resolve;
  });
  const limit = setTimeout(callerHasText, ms(3));
  const circumstances = { dialect, ms, shown, retry_after_s: seen.retry_after_s };
  const [first, second] = await Promise.all([new Provider('first').listen(), new Provider('second').listen()]);
  const gateway =
    typeof how === 'function'
      ? how()
      : await how.start({
          executable: how.executable,
          policy: scaleTimes(how.policy, scale),
          environment: { LARGE_URL: `http://127.0.0.1:${first.port}`, SMALL_URL: `http://127.0.0.1:${second.port}` },
        });
  try {
    const caller = { port: gateway.port, dialect, headers: gateway.headers(first, second, SECOND_MODEL) };
    second.act = fault.second(circumstances);
    if (fault.sequence) {
      seen.sequence = await runSequence(fault.sequence, { first, caller, ms });
      seen.answer = seen.sequence.last;
    } else {
      first.act = fault.first(circumstances);
      seen.answer = await ask({ ...caller, limit_ms: Math.max(ms(fault.limit_s), 5000), on_text: callerHasText });
    }
    await settled([first, second]);
    seen.first = [...first.attempts];
    seen.second = [...second.attempts];
    if (gateway.access) seen.log = await readLog(gateway, seen);

    first.act = second.act = () => ({});
    seen.again = await ask({ ...caller, limit_ms: 10_000 });
    return seen;
  } finally {
    clearTimeout(limit);
    await gateway.stop();
    await Promise.all([first.close(), second.close()]);
  }
}

// Requests at fixed times through an outage and what comes after it.
async function runSequence({ count, interval_s, down_s, limit_s }, { first, caller, ms }) {
  const begin = now();
  const isDown = () => now() - begin < ms(down_s);
  first.isHealthy = () => !isDown();
  first.act = (attempt) => {
    attempt.down = isDown();
    return attempt.down ? { status: 503, message: 'The engine is currently overloaded.', code: 'overloaded' } : {};
  };
  const answers = [];
  for (let number = 0; number < count; ++number) {
    await new Promise((resolve) => {
      setTimeout(resolve, begin + number * ms(interval_s) - now());
    });
    const down = isDown();
    answers.push({ down, ...(await ask({ ...caller, limit_ms: Math.max(ms(limit_s), 3000) })) });
  }
  const served = (answer) => answer.outcome === 'success' && answer.text === ANSWER;
  const back = first.attempts.find((attempt) => !attempt.down);
  return {
    count,
    last: answers.at(-1),
    elapsed_ms: now() - begin,
    outcome: answers.some((answer) => answer.outcome === 'hang')
      ? 'hang'
      : answers.every((answer) => answer.outcome === 'success')
        ? 'success'
        : 'error',
    complete: answers.every(served),
    error: answers.find((answer) => answer.error)?.error,
    hangs: answers.filter((answer) => answer.outcome === 'hang').length,
    served: answers.filter(served).length,
    asked_down: answers.filter((answer) => answer.down).length,
    served_down: answers.filter((answer) => answer.down && served(answer)).length,
    first_down: first.attempts.filter((attempt) => attempt.down).length,
    back_after_s: back ? (back.at - begin) / ms(1) - down_s : Infinity,
  };
}

// A gateway lets go of a provider soon, not at once: its connection's end is seen a moment later.
async function settled(providers) {
  const limit = now() + 2000;
  const busy = () => providers.some((provider) => provider.attempts.some((attempt) => attempt.ended_at === undefined));
  while (busy() && now() < limit)
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
}

// What the gateway says about the request in its access log.
async function readLog(gateway, seen) {
  const id = seen.answer.headers?.['x-request-id'];
  if (id === undefined) return undefined;
  const line = await gateway.access((access) => access.request_id === id);
  return {
    line,
    // Who was asked, who answered, and its usage: once.
    accounting() {
      const tried = line.attempts.map((attempt) => attempt.upstream);
      const expected = [...seen.first.map(() => 'large'), ...seen.second.map(() => 'small')];
      const [usage] = seen.answer.usages;
      const counted =
        line.model_answered === SECOND_MODEL &&
        line.prompt_tokens === usage?.prompt_tokens &&
        line.completion_tokens === usage?.completion_tokens;
      return [
        line.served_by === 'small' && tried.join() === expected.join() && counted,
        `served_by ${line.served_by}, attempts at ${tried.join(', ')}, ${line.model_answered}: ${line.prompt_tokens} + ${line.completion_tokens} tokens`,
      ];
    },
  };
}
