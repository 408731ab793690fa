// Random cuts, stalls, resets and errors at every byte of an answer, over real sockets, read by the real clients: no incomplete
// answer may be taken for a complete one, and no complete one reported as failed.
//
//   node failover_random.mjs BREAKWATER [--cases 200] [--seed N] [--case N]
//   node failover_random.mjs --plain-proxy    one that passes on what comes, which must be found out
//
// A case is told by seed and number alone; --case repeats one.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { ANSWER } from '../failover/dialects.mjs';
import { startFlawed } from '../failover/flawed.mjs';
import { scaleTimes, startBreakwater } from '../failover/gateways.mjs';
import { Provider } from '../failover/provider.mjs';
import { clients } from './real_clients.mjs';

const {
  values: options,
  positionals: [executable],
} = parseArgs({
  allowPositionals: true,
  options: {
    cases: { type: 'string', default: '200' },
    seed: { type: 'string' },
    case: { type: 'string' },
    'plain-proxy': { type: 'boolean' },
  },
});
const seed = Number(options.seed ?? Date.now() % 1_000_000);
const SCALE = 0.15;
const AT_ONCE = 16;
const OTHER = 'Another model says it in other words, so nothing of this may follow what the first one said.';
const HANG_MS = options['plain-proxy'] ? 1000 : 60_000; // the proxy has no limits of its own

const policy = readFileSync(new URL('../../policies/two-models.policy', import.meta.url), 'utf8');
const continues = /on_cut\s*=\s*continue/.test(policy);
const movesOnAfter429 = /next when status == 429/.test(policy);

// Numbers in [0, 1) from a seed (mulberry32).
function generator(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function draw(number) {
  const random = generator(seed * 1_000_003 + number);
  const pick = (list) => list[Math.floor(random() * list.length)];
  const breakage = (hows) => ({ cut_at_byte: Math.floor(random() * 1e6), cut_how: pick(hows), stall_ms: 60_000 });
  const client = pick(['openai', 'ollama']);
  const stream = random() < 0.8;
  const tokens = pick(['words', 'words', 'letters', 'whole']);
  const hows = ['fin', 'fin', 'reset', 'clean', 'error', 'stall'];
  const large = pick([
    () => ({}),
    () => ({ status: pick([429, 500, 503]), message: 'no' }),
    () => ({ reset: true }),
    ...Array(7).fill(() => breakage(hows)),
  ])();
  const small = pick([
    ...Array(4).fill(() => ({})),
    () => ({ prefill: 'refuse' }),
    () => ({ prefill: 'ignore' }),
    () => ({ prefill: 'refuse', answer: OTHER }),
    () => breakage(hows),
    () => ({ status: 503, message: 'no' }),
  ])();
  return {
    number,
    client,
    stream,
    large: { tokens, ...large },
    small: { tokens: pick(['words', 'letters', 'whole']), ...small },
  };
}

const numbers = options.case
  ? [Number(options.case)]
  : Array.from({ length: Number(options.cases) }, (_, number) => number);
const cases = new Map(
  [-1, ...numbers].map((number) => [number, number < 0 ? { number, large: {}, small: {} } : draw(number)]),
);
const caseOf = (attempt) => cases.get(Number(/case (-?\d+)/.exec(attempt.body.messages[0].content)[1]));

const providers = await Promise.all(['large', 'small'].map((name) => new Provider(name).listen()));
for (const provider of providers) provider.act = (attempt) => caseOf(attempt)[provider.name];
const isPlain = options['plain-proxy'];
const gateway = await (isPlain ? startFlawed : startBreakwater)({
  executable,
  flaw: 'none',
  policy: scaleTimes(policy, SCALE).replace(/failures\((\w+)\) >= \d+/g, 'failures($1) >= 10000'), // each case for itself
  environment: {
    LARGE_URL: `http://127.0.0.1:${providers[0].port}`,
    SMALL_URL: `http://127.0.0.1:${providers[1].port}`,
  },
});

const counts = {
  'whole answers': 0,
  'of these rescued': 0,
  'honest errors': 0,
  'taken for complete': 0,
  'reported as failed': 0,
  hung: 0,
};
const findings = [];

async function run(drawn) {
  let timer;
  const hang = new Promise((resolve) => {
    timer = setTimeout(() => resolve({ hung: true }), HANG_MS);
  });
  const before = providers.map((provider) => provider.attempts.length);
  const got = await Promise.race([
    clients[drawn.client]({ port: gateway.port, stream: drawn.stream, question: `case ${drawn.number}` }),
    hang,
  ]);
  clearTimeout(timer);
  const attempts = providers.flatMap((provider, at) =>
    provider.attempts.slice(before[at]).filter((attempt) => caseOf(attempt) === drawn),
  );
  return { drawn, got, attempts, kind: judge(drawn, got, attempts) };
}

function note({ drawn, got, attempts, kind }) {
  ++counts[kind];
  if (kind === 'whole answers' && attempts.some((attempt) => attempt.outcome === 'broken'))
    ++counts['of these rescued'];
  if (['taken for complete', 'reported as failed', 'hung'].includes(kind))
    findings.push({
      kind,
      case: drawn,
      text: got.text,
      error: got.error,
      attempts: attempts.map(({ provider, action, prefill }) => ({ provider, action, prefill })),
    });
}

await Promise.all(
  Object.values(clients).map((client) => client({ port: gateway.port, stream: true, question: 'case -1' })),
); // loads them
const late = [];
const queue = [...cases.values()].filter((drawn) => drawn.number >= 0);
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let drawn; (drawn = queue.shift());) {
      const result = await run(drawn);
      if (result.kind === 'reported as failed') late.push(drawn);
      else note(result);
    }
  }),
);
// The providers live in this process: where the machine left it no time, a gateway rightly found them too late. Such a case
// must succeed by itself; a mistake of the gateway's shows again.
for (const drawn of late) note(await run(drawn));
await gateway.stop();
await Promise.all(providers.map((provider) => provider.close()));

// What must not be reported as failed: an answer that arrived complete, and one that the small provider could have given or
// finished, once the large one had broken in a way that the policy goes on from.
function judge(drawn, got, attempts) {
  if (got.hung) return 'hung';
  if (got.complete)
    return got.text === ANSWER || got.text === drawn.small.answer ? 'whole answers' : 'taken for complete';
  const joins = (attempt) => attempt.provider === 'large' || drawn.small.answer === undefined || got.text === '';
  const arrived = attempts.some((attempt) => attempt.outcome === 'complete' && joins(attempt));
  const smallCan =
    drawn.small.cut_at_byte === undefined && drawn.small.status === undefined && drawn.small.answer === undefined;
  const goesOn =
    drawn.large.status === 429 ? movesOnAfter429 : drawn.large.cut_at_byte === undefined || !drawn.stream || continues;
  return arrived || (smallCan && goesOn) ? 'reported as failed' : 'honest errors';
}

for (const finding of isPlain ? [] : findings.slice(0, 10)) console.log(JSON.stringify(finding));
console.log(
  `seed ${seed}: ${Object.entries(counts)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ')}; ${late.length} asked again`,
);
process.exit(isPlain ? (counts['taken for complete'] > 0 ? 0 : 1) : findings.length > 0 ? 1 : 0);
