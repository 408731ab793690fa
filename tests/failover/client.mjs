// A careful client: one request, and what a caller could know of the answer. It takes an answer for a success when HTTP
// ended as it should and no error came, whether or not a terminal mark was seen: so an answer that is cut and passed on as
// complete is seen as one.
import { Agent, request } from 'node:http';
import { dialects } from './dialects.mjs';
import { now } from './provider.mjs';

const QUESTION = [{ role: 'user', content: 'Explain in exactly sixty words what a gateway is good for.' }];

// Resolves, never rejects: { outcome: 'success' | 'error' | 'hang' | 'left', status, headers, text, error, code, elapsed_ms,
// first_content_ms, models, ids, usages, ends, bad_frames, sentinel, frames }.
// on_text(): some of the answer is there. leave_when(result), signal: the client hangs up as soon as that holds, or when it is told to; left_at says when.
export function ask({
  port,
  dialect,
  stream = true,
  model = 'qwen3:32b',
  headers = {},
  limit_ms = 30_000,
  messages = QUESTION,
  leave_when,
  signal,
  on_text,
}) {
  const api = dialects[dialect];
  const begin = now();
  const result = {
    outcome: 'hang',
    text: '',
    models: [],
    ids: [],
    usages: [],
    ends: 0,
    bad_frames: 0,
    frames: 0,
    sentinel: false,
  };
  return new Promise((resolve) => {
    let settled = false;
    const settle = (outcome, error) => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      Object.assign(result, { outcome, elapsed_ms: now() - begin });
      if (error !== undefined) result.error = error;
      call.destroy();
      resolve(result);
    };
    const leave = () => {
      result.left_at = now();
      settle('left');
    };
    const lookLeave = () => {
      if (leave_when?.(result)) leave();
    };
    signal?.addEventListener('abort', leave);
    const call = request({
      host: '127.0.0.1',
      port,
      path: api.path,
      method: 'POST',
      agent: new Agent(),
      headers: { 'Content-Type': 'application/json', ...headers },
    });
    const timer = setTimeout(() => settle('hang', `nothing for ${limit_ms} ms`), limit_ms);
    call.on('error', (error) => settle('error', `no answer: ${error.message}`));
    call.on('response', (answer) => {
      result.status = answer.statusCode;
      result.headers = answer.headers;
      answer.setEncoding('utf8');
      const isStream = stream && answer.statusCode === 200;
      let rest = '';
      answer.on('data', (text) => {
        rest += text;
        if (!isStream) return;
        const blocks = rest.split(api.separator);
        rest = blocks.pop();
        for (const block of blocks) readFrame(api, block, result, now() - begin);
        if (result.text !== '') on_text?.();
        if (result.inBandError !== undefined) settle('error', `in the stream: ${result.inBandError}`);
        lookLeave();
      });
      answer.on('error', () => {});
      answer.on('close', () => {
        if (!answer.complete) return settle('error', 'the connection ended within the answer');
        if (isStream) {
          readFrame(api, rest, result, now() - begin);
          if (result.inBandError !== undefined) return settle('error', `in the stream: ${result.inBandError}`);
          return settle('success');
        }
        readWhole(api, rest, result);
        if (answer.statusCode !== 200 || result.error !== undefined)
          return settle('error', `status ${answer.statusCode}: ${result.error ?? rest}`);
        settle('success');
      });
      lookLeave();
    });
    call.end(JSON.stringify(api.request(model, stream, messages)));
  });
}

function readFrame(api, block, result, at_ms) {
  const payload = api.payload(block);
  if (payload === undefined || result.inBandError !== undefined) return;
  if (api.isSentinel(payload)) {
    result.sentinel = true;
    return;
  }
  let object;
  try {
    object = JSON.parse(payload);
  } catch {
    ++result.bad_frames; // skipped, as careful clients do
    return;
  }
  ++result.frames;
  const error = api.errorOf(object);
  if (error) {
    result.inBandError = error;
    result.code = api.codeOf(object);
    return;
  }
  const text = api.contentOf(object);
  if (text !== '') result.first_content_ms ??= at_ms;
  result.text += text;
  const { model, id } = api.sourceOf?.(object) ?? object;
  note(result.models, model);
  note(result.ids, id);
  if (api.isEnd(object)) ++result.ends;
  if (api.usageOf(object)) result.usages.push(api.usageOf(object));
}

function readWhole(api, text, result) {
  try {
    const object = JSON.parse(text);
    result.error = api.errorOf(object) || undefined;
    result.code = api.codeOf(object);
    result.text = api.wholeContent(object) ?? '';
    note(result.models, object.model);
    note(result.ids, object.id);
    if (api.usageOf(object)) result.usages.push(api.usageOf(object));
    if (result.error === undefined) result.ends = 1;
  } catch {
    result.error = `no JSON: ${text.slice(0, 80)}`;
  }
}

function note(list, value) {
  if (value !== undefined && !list.includes(value)) list.push(value);
}
