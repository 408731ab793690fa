// The sixteen faults: what the providers do, what the caller and the providers must have seen. Numbers, faults and the checks
// without `ours` are those of Failover Bench (README.md); times are in seconds of real life and are scaled with the policy's.
import { ANSWER } from './dialects.mjs';

const ok = () => ({});
const always = (plan) => () => plan;
const once = (plan) => (attempt) => (attempt.number === 1 ? plan : {});

const OVERLOADED = {
  status: 503,
  message: 'The engine is currently overloaded. Please try again later.',
  code: 'overloaded',
};
const LIMITED = { status: 429, message: 'Rate limit reached.', code: 'rate_limit_exceeded' };
const TOO_LONG = {
  openai: {
    status: 400,
    code: 'context_length_exceeded',
    message: "This model's maximum context length is 8192 tokens. However, your messages resulted in 9631 tokens.",
  },
  ollama: { status: 400, message: 'the input length exceeds the context length' },
  anthropic: { status: 400, message: 'prompt is too long: 9631 tokens > 8192 maximum' },
};
const REFUSED = {
  status: 400,
  code: 'content_policy_violation',
  message: 'Your request was rejected as a result of our safety system.',
};
const cut = ({ shown }) => always({ cut_at: 40, cut_how: 'fin', until: shown });

// `test(seen)` → [holds, what was seen]. seen: { answer, first, second, retry_after_s, seconds(ms) in unscaled seconds, again,
// sequence, open_for_s, log }.
const advisory = (id, test) => ({ id, test, advisory: true });
const required = (id, test) => ({ id, test });
const ours = (id, test) => ({ id, test, advisory: true, ours: true });

const attempts = (low, high) => (seen) => [
  seen.first.length >= low && seen.first.length <= high,
  `${seen.first.length} attempts at the first`,
];
const within = (limit_s) => (seen) => [
  seen.answer.outcome !== 'hang' && seen.seconds(seen.answer.elapsed_ms) <= limit_s,
  `${seen.seconds(seen.answer.elapsed_ms).toFixed(1)} s`,
];
const noHammer = (window_s, most) => (seen) => {
  const early = seen.first.filter((attempt) => seen.seconds(attempt.at - seen.first[0].at) < window_s).length;
  return [early <= most, `${early} attempts in the first ${window_s} s`];
};
const noHang = required('no_hang', (seen) => [seen.answer.outcome !== 'hang', seen.answer.outcome]);
const noTruncatedSuccess = required('no_truncated_success', (seen) => [
  seen.answer.outcome !== 'success' || seen.answer.text === ANSWER,
  `${seen.answer.outcome}, ${seen.answer.text.length} of ${ANSWER.length} letters`,
]);
const aliveAfter = required('alive_after', (seen) => [
  seen.again.outcome === 'success' && seen.again.text === ANSWER,
  seen.again.outcome,
]);
const usagePresent = advisory('usage_present', (seen) => [
  seen.answer.usages.length > 0,
  `${seen.answer.usages.length} usage blocks`,
]);
const notRetriedSilent = advisory('silent_route_not_retried', attempts(0, 1));

// The first provider was let go: it does not work for nobody.
const cancelled = ours('upstream_cancelled', (seen) => [
  seen.first.every((attempt) => attempt.gone_at !== undefined),
  seen.first.map((attempt) => attempt.action).join('; '),
]);

// Held for every fault that ends in an answer: what a caller may count on.
const wholeAnswer = [
  ours('usage_once', (seen) => [seen.answer.usages.length === 1, `${seen.answer.usages.length} usage blocks`]),
  ours('one_end', (seen) => [seen.answer.ends === 1, `${seen.answer.ends} terminal marks`]),
  ours('one_id', (seen) => [seen.answer.ids.length <= 1, `ids ${seen.answer.ids.join(', ') || 'none'}`]),
  ours('done_sent', (seen) => [
    seen.dialect === 'ollama' || seen.answer.sentinel,
    `the last word ([DONE], message_stop) ${seen.answer.sentinel ? 'seen' : 'missing'}`,
  ]),
];

export const SECOND_MODEL = 'qwen3:8b';

export const faults = [
  {
    id: 'retry_after',
    number: 'S01',
    title: '429 with Retry-After, once',
    limit_s: 20,
    first: ({ retry_after_s }) => once({ ...LIMITED, headers: { 'Retry-After': String(retry_after_s) } }),
    checks: [
      advisory('retried', attempts(2, Infinity)),
      advisory('retry_after_honoured', (seen) => {
        const gap = seen.first.length < 2 ? undefined : (seen.first[1].at - seen.first[0].at) / 1000; // never scaled
        return [
          gap !== undefined && gap >= 0.9 * seen.retry_after_s,
          gap === undefined ? 'no second attempt' : `gap ${gap.toFixed(2)} s`,
        ];
      }),
      required('no_hammer', noHammer(1.5, 2)),
    ],
  },
  {
    id: 'limited',
    number: 'S02',
    title: '429 without Retry-After, persistent',
    limit_s: 40,
    first: () => always(LIMITED),
    checks: [required('no_hammer', noHammer(3, 4)), required('bounded_attempts', attempts(0, 6)), noHang],
  },
  {
    id: 'error_once',
    number: 'S03',
    title: '500 once, then healthy',
    limit_s: 20,
    first: () => once({ status: 500, message: 'The server had an error while processing your request.' }),
    checks: [noHang, advisory('same_provider_retry', attempts(2, Infinity))],
  },
  {
    id: 'overloaded',
    number: 'S04',
    title: '503 persistent',
    limit_s: 40,
    first: () => always(OVERLOADED),
    checks: [required('bounded_attempts', attempts(0, 6)), noHang],
  },
  {
    id: 'reset',
    number: 'S05',
    title: 'reset before the head, once',
    limit_s: 20,
    first: () => once({ reset: true }),
    checks: [noHang],
  },
  {
    id: 'silence',
    number: 'S06',
    title: 'no response at all',
    limit_s: 130,
    first: ({ ms }) => always({ silent_ms: ms(120) }),
    checks: [required('within_budget', within(100)), noHang, notRetriedSilent, cancelled],
  },
  {
    id: 'slow_start',
    number: 'S07',
    title: 'first token after 20 s',
    limit_s: 60,
    first: ({ ms }) => always({ slow_ms: ms(20) }),
    checks: [noHang, advisory('first_token_limit', within(15)), cancelled],
  },
  {
    id: 'cut',
    number: 'S08',
    title: 'stream cut after 40 of 60 tokens',
    limit_s: 40,
    first: cut,
    checks: [noTruncatedSuccess, noHang],
  },
  {
    id: 'stall',
    number: 'S09',
    title: 'stream stalls for 30 s after 20 tokens',
    limit_s: 70,
    first: ({ ms, shown }) => always({ cut_at: 20, cut_how: 'stall', stall_ms: ms(30), until: shown }),
    checks: [
      required('bounded', within(45)),
      noTruncatedSuccess,
      aliveAfter,
      noHang,
      cancelled,
      ours('noticed_soon', within(15)),
    ],
  },
  {
    id: 'malformed',
    number: 'S10',
    title: 'malformed chunk in the stream',
    limit_s: 30,
    first: () => always({ malformed_at: 10 }),
    checks: [
      aliveAfter,
      noTruncatedSuccess,
      noHang,
      advisory('recovered_in_place', (seen) => [
        seen.answer.outcome === 'success' && seen.answer.text === ANSWER,
        seen.answer.outcome,
      ]),
      ours('not_asked_again', (seen) => [
        seen.first.length + seen.second.length === 1,
        `${seen.first.length} + ${seen.second.length} attempts`,
      ]),
    ],
  },
  {
    id: 'no_sentinel',
    number: 'S11',
    title: 'stream ends without [DONE]',
    limit_s: 30,
    first: () => always({ no_sentinel: true }),
    checks: [
      required('prompt_finalise', within(8)),
      usagePresent,
      ours('not_asked_again', (seen) => [
        seen.first.length + seen.second.length === 1,
        `${seen.first.length} + ${seen.second.length} attempts`,
      ]),
    ],
  },
  {
    id: 'too_long',
    number: 'S12',
    title: 'context length exceeded',
    limit_s: 20,
    first: ({ dialect }) => always(TOO_LONG[dialect]),
    checks: [required('no_same_model_retry', attempts(1, 1)), noHang],
  },
  {
    id: 'content_filter',
    number: 'S13',
    title: 'content-filter rejection',
    limit_s: 20,
    ideal: 'error',
    first: () => always(REFUSED),
    checks: [
      required('no_same_model_retry', attempts(1, 1)),
      noHang,
      ours('reason_passed_on', (seen) => [
        seen.answer.status === REFUSED.status &&
          seen.answer.error?.includes(REFUSED.message) &&
          (seen.dialect !== 'openai' || seen.answer.code === REFUSED.code),
        seen.answer.error ?? seen.answer.outcome,
      ]),
    ],
  },
  {
    id: 'no_prefill',
    number: 'S14',
    title: 'cut stream, and the fallback refuses prefill',
    limit_s: 40,
    first: cut,
    second: () => always({ prefill: 'refuse' }),
    checks: [
      required('no_prefill_masking', (seen) => {
        const refusals = seen.second.filter((attempt) => attempt.refused_prefill).length;
        return [
          seen.answer.outcome !== 'error' || refusals === 0 || !/prefill/.test(seen.answer.error),
          `${refusals} refusals; ${seen.answer.outcome}`,
        ];
      }),
      noTruncatedSuccess,
    ],
  },
  {
    id: 'flapping',
    number: 'S15',
    title: 'primary down for 60 s, then healthy',
    limit_s: 200,
    sequence: { count: 20, interval_s: 4, down_s: 60, limit_s: 30 },
    checks: [
      required('no_hang', ({ sequence: all }) => [all.hangs === 0, `${all.hangs} hung`]),
      required('served_during_outage', ({ sequence: all }) => [
        all.served_down === all.asked_down,
        `${all.served_down} of ${all.asked_down}`,
      ]),
      required('recovered', ({ sequence: all }) => [
        all.back_after_s <= 30,
        `back after ${all.back_after_s.toFixed(1)} s`,
      ]),
      ours('all_served', ({ sequence: all }) => [all.served === all.count, `${all.served} of ${all.count}`]),
      ours('back_soon', ({ sequence: all }) => [all.back_after_s <= 5, `back after ${all.back_after_s.toFixed(1)} s`]),
      ours('probe_discipline', (seen) => {
        const most = 5 + Math.ceil(60 / seen.open_for_s);
        return [
          seen.sequence.first_down <= most,
          `${seen.sequence.first_down} attempts in the outage, at most ${most}`,
        ];
      }),
    ],
  },
  {
    id: 'accounting',
    number: 'S16',
    title: 'fail-over accounting',
    limit_s: 40,
    first: () => always(OVERLOADED),
    checks: [
      required('reports_fallback_model', (seen) =>
        seen.second.length === 0
          ? [true, 'the fallback was never used']
          : [
              seen.answer.models.length === 1 && seen.answer.models[0] === SECOND_MODEL,
              `model ${seen.answer.models.join(', ') || 'none'}`,
            ],
      ),
      usagePresent,
      required('bounded_attempts', attempts(0, 6)),
      ours('log_tells', (seen) => (seen.log ? seen.log.accounting() : [true, 'no log'])),
    ],
  },
];

for (const fault of faults) {
  fault.second ??= () => ok;
  if (fault.ideal !== 'error' && !fault.sequence) fault.checks.push(...wholeAnswer);
}

// pass: the caller got the whole answer (or the error that is ideal) and every check held; partial: an advisory did not;
// safe: no answer, but an honest error in time; fail: the rest. `published`: judged as Failover Bench does, without ours.
export function judge(fault, seen, { published = false } = {}) {
  const results = fault.checks
    .filter((check) => !(published && check.ours))
    .map((check) => {
      const [holds, detail] = check.test(seen);
      return { ...check, holds, detail };
    });
  const failed = results.filter((result) => !result.holds);
  const { outcome, text } = seen.sequence ?? seen.answer;
  const complete = seen.sequence ? seen.sequence.complete : text === ANSWER;
  const reason = (list) => list.map((result) => `${result.id} (${result.detail})`).join(', ');
  if (outcome === 'hang') return { verdict: 'fail', reason: 'hang' };
  if (outcome === 'success' && !complete && fault.ideal !== 'error')
    return {
      verdict: 'fail',
      reason: `an incomplete or altered answer as a success (${(text ?? '').length} of ${ANSWER.length} letters)`,
    };
  const broken = failed.filter((result) => !result.advisory);
  if (broken.length > 0) return { verdict: 'fail', reason: reason(broken) };
  if (fault.ideal === 'error' && outcome === 'success')
    return { verdict: 'partial', reason: 'answered by going round the refusal' };
  const rescued = fault.ideal === 'error' ? outcome === 'error' : outcome === 'success';
  if (!rescued)
    return {
      verdict: 'safe',
      reason: `an honest error: ${(seen.sequence?.error ?? seen.answer.error ?? '').slice(0, 120)}`,
    };
  return failed.length > 0 ? { verdict: 'partial', reason: reason(failed) } : { verdict: 'pass', reason: '' };
}
