// The sixteen faults through a gateway.
//
//   node run.mjs breakwater BREAKWATER [--policy FILE] [--time-scale 0.1] [options]
//   node run.mjs portkey [--time-scale 1] [options]
//
//   --dialect openai|ollama|anthropic   one of them (Portkey's gateway is asked in OpenAI's only)
//   --fault ID,ID…            some of the sixteen
//   --expect-pass             exit code 1 unless all that ran passed; what did not is run again by itself, with times twice as
//                             long, so that a machine that is busy for a moment is no finding
//   --verbose                 every check with what was seen
//
// The table says pass, partial, safe or fail for each fault (see judge() in faults.mjs). The last line sums up.
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { faults, judge } from './faults.mjs';
import { openForSeconds, startBreakwater, startPortkey } from './gateways.mjs';
import { limitOf, runFault } from './run_fault.mjs';

const POLICY = new URL('../../policies/two-models.policy', import.meta.url);

const {
  values: options,
  positionals: [system, executable],
} = parseArgs({
  allowPositionals: true,
  options: {
    policy: { type: 'string' },
    'time-scale': { type: 'string' },
    dialect: { type: 'string' },
    fault: { type: 'string' },
    'expect-pass': { type: 'boolean' },
    verbose: { type: 'boolean' },
  },
});
if (!(system === 'portkey' || (system === 'breakwater' && executable))) {
  console.error('usage: node run.mjs breakwater BREAKWATER | portkey  (more at the top of the file)');
  process.exit(2);
}

const isPortkey = system === 'portkey';
const scale = Number(options['time-scale'] ?? (isPortkey ? 1 : 0.1));
const dialects = options.dialect ? [options.dialect] : isPortkey ? ['openai'] : ['openai', 'ollama', 'anthropic'];
const wanted = options.fault?.split(',');
const unknown = wanted?.filter((id) => !faults.some((fault) => fault.id === id)) ?? [];
if (unknown.length > 0) throw new Error(`no such fault: ${unknown}`);
const policy = readFileSync(options.policy ?? POLICY, 'utf8');

const cells = dialects.flatMap((dialect) =>
  faults.filter((fault) => !wanted || wanted.includes(fault.id)).map((fault) => ({ dialect, fault })),
);
const begin = performance.now();
// The longest first, and several at a time: they wait most of their time.
const queue = [...cells].sort((a, b) => limitOf(b.fault) - limitOf(a.fault));
const shared = isPortkey ? await startPortkey({ scale }) : undefined;
async function run(cell, timeScale) {
  const setup = { ...cell, scale: timeScale, open_for_s: openForSeconds(policy) };
  cell.seen = await runFault(
    setup,
    shared ? () => ({ ...shared, stop: async () => {} }) : { executable, policy, start: startBreakwater },
  );
  cell.result = judge(cell.fault, cell.seen, { published: isPortkey });
}
await Promise.all(
  Array.from({ length: isPortkey ? queue.length : 2 + 2 * cpus().length }, async () => {
    for (let cell; (cell = queue.shift());) await run(cell, scale);
  }),
);
for (const cell of options['expect-pass'] ? cells : []) {
  if (cell.result.verdict === 'pass') continue;
  console.log(`again: ${cell.fault.number} ${cell.dialect}, ${cell.result.verdict}: ${cell.result.reason}`);
  await run(cell, 2 * scale);
}
await shared?.stop();

for (const dialect of dialects) {
  console.log(`\n${dialect}`);
  for (const { fault, seen, result } of cells.filter((cell) => cell.dialect === dialect)) {
    const attempts = `${seen.first.length}+${seen.second.length}`;
    const seconds = ((seen.sequence ?? seen.answer).elapsed_ms / 1000).toFixed(1);
    console.log(
      `  ${fault.number} ${fault.id.padEnd(15)} ${result.verdict.padEnd(8)} ${attempts.padStart(6)} ${seconds.padStart(6)} s  ${result.reason}`,
    );
    if (!options.verbose) continue;
    for (const check of fault.checks) {
      const [holds, detail] = check.test(seen);
      console.log(
        `        ${holds ? 'holds ' : 'BROKEN'} ${check.id}${check.advisory ? ' (advisory)' : ''}: ${detail}`,
      );
    }
  }
}
const passed = cells.filter((cell) => cell.result.verdict === 'pass').length;
console.log(`\n${passed} of ${cells.length} passed in ${((performance.now() - begin) / 1000).toFixed(1)} s`);
process.exit(options['expect-pass'] && passed < cells.length ? 1 : 0);
