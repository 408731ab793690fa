// Switching a feature off must fail its fault: for each of the sixteen the shipped policy with something taken out, or, where
// no policy can ask for it, a proxy with that flaw.
//
//   node variants.mjs BREAKWATER [--policy FILE] [--fault ID,ID…] [--time-scale 0.05]
//
// Exit code 1 if one of them still passes, or if the flawless proxy does not pass where the flawed ones fail.
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { faults, judge } from './faults.mjs';
import { startFlawed } from './flawed.mjs';
import { change, openForSeconds, startBreakwater } from './gateways.mjs';
import { limitOf, runFault } from './run_fault.mjs';

// A pattern finds its first place: the upstream `large`, which stands first.
const variants = [
  ['retry_after', 'Retry-After is not honoured', [[/^ *honour .*\n/m, '']]],
  [
    'limited',
    'a 429 stays where it is',
    [
      [/^ *next when status == 429.*\n/m, ''],
      [/when status == 429 or transient/, 'when transient'], // what is retried moves on, too
    ],
  ],
  ['error_once', 'nothing is retried', [[/retry \{[^}]*\}/, '']]],
  [
    'overloaded',
    'there is no second upstream',
    [
      [/to += \[large, small\]/, 'to = large'],
      [/^ *next when .*\n/gm, ''],
      [/on_cut += continue/, 'on_cut = error'],
    ],
  ],
  ['reset', 'a POST is not repeated', [[/repeat_safe += true/, 'repeat_safe = false']]],
  ['silence', 'no limit for the first token', [[/first_token = \w+/, 'first_token = 4min']]],
  ['slow_start', 'no limit for the first token', [[/first_token = \w+/, 'first_token = 4min']]],
  ['cut', 'a cut answer is not continued', [[/on_cut += continue/, 'on_cut = error']]],
  ['stall', 'a stalled answer is not continued', [[/on_cut += continue/, 'on_cut = error']]],
  ['stall', 'no limit for a standstill', [[/idle = \w+/, 'idle = 4min']]],
  ['malformed', 'stops at a frame that is no JSON', 'stops_at_malformed'],
  ['no_sentinel', 'insists on the last word', 'insists_on_sentinel'],
  [
    'too_long',
    'a prompt that is too long stays where it is',
    [
      [/^ *next when prompt_too_long .*\n/gm, ''],
    ],
  ],
  ['content_filter', 'every 400 goes to the second', [[/(to += \[large, small\])/, '$1\n  next when status == 400']]],
  ['no_prefill', 'a cut answer is not continued', [[/on_cut += continue/, 'on_cut = error']]],
  [
    'flapping',
    'no breaker',
    [
      [/health \{[^}]*\}/, ''],
      [/breaker \{[^}]*\}/, ''],
    ],
  ],
  ['accounting', 'the second is asked for the first model', [[/^ *rewrite .*\n/m, '']]],
];

const POLICY = new URL('../../policies/two-models.policy', import.meta.url);
const {
  values: options,
  positionals: [executable],
} = parseArgs({
  allowPositionals: true,
  options: { policy: { type: 'string' }, fault: { type: 'string' }, 'time-scale': { type: 'string', default: '0.05' } },
});
if (!executable) {
  console.error('usage: node variants.mjs BREAKWATER  (more at the top of the file)');
  process.exit(2);
}
const shipped = readFileSync(options.policy ?? POLICY, 'utf8');
const wanted = options.fault?.split(',') ?? faults.map((fault) => fault.id);

const cells = variants
  .filter(([id]) => wanted.includes(id))
  .flatMap(([id, what, how]) =>
    ['openai', 'ollama', 'anthropic'].map((dialect) => ({ fault: faults.find((fault) => fault.id === id), what, how, dialect })),
  );
for (const { fault, dialect, how } of [...cells])
  if (typeof how === 'string')
    cells.push({ fault, dialect, what: 'the proxy without a flaw', how: 'none', mustPass: true });

const queue = [...cells].sort((a, b) => limitOf(b.fault) - limitOf(a.fault));
await Promise.all(
  Array.from({ length: 2 + 2 * cpus().length }, async () => {
    for (let cell; (cell = queue.shift());) {
      const setup = { ...cell, scale: Number(options['time-scale']), open_for_s: openForSeconds(shipped) };
      const start = typeof cell.how === 'string' ? (how) => startFlawed({ ...how, flaw: cell.how }) : startBreakwater;
      const policy = typeof cell.how === 'string' ? shipped : change(shipped, cell.how);
      // The flawless proxy adds no [DONE]: it is judged as Failover Bench would.
      cell.result = judge(cell.fault, await runFault(setup, { executable, policy, start }), {
        published: cell.mustPass,
      });
    }
  }),
);

let wrong = 0;
for (const { fault, what, dialect, result, mustPass } of cells) {
  const right = (result.verdict === 'pass') === Boolean(mustPass);
  if (!right) ++wrong;
  console.log(
    `${right ? '  ' : '! '}${fault.number} ${fault.id.padEnd(15)} ${dialect.padEnd(9)} ${what.padEnd(45)} ${result.verdict}  ${result.reason}`,
  );
}
console.log(`${cells.length - wrong} of ${cells.length} as expected`);
process.exit(wrong > 0 || cells.length === 0 ? 1 : 0);
