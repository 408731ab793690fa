// What providers say and clients read in the three dialects of the harness: OpenAI's (server-sent events, as vLLM sends them),
// Ollama's (one JSON object for each line) and Anthropic's (named events). All carry one and the same answer, so that a client can
// tell a whole one from a part of it, byte for byte.

// Sixty words, with what is easily lost on the way: quotes, a line break, letters beyond ASCII and beyond 16 bits.
export const ANSWER =
  'A gateway earns trust on the day its provider misbehaves: it says "no" when it must, never "yes" when it cannot, and ' +
  '– naïve or not – delivers every single word exactly once. 请稍候 🙂 means wait; a cut means ask again, a stall means ' +
  'move on.\nWhole answers only, true errors otherwise, nothing lost, nothing doubled, whatever happens.';

// As a model would: mostly words, each with the space before it.
export const words = (text) => text.match(/\s*\S+/gu) ?? [];

const whole = (text) => (text === '' ? [] : [text]);
const count = (messages) => messages.reduce((sum, message) => sum + 4 + words(String(message.content ?? '')).length, 0);

// What all frames of one answer share. `tokens`: the texts of its content frames.
export function describe({ id, model, messages, tokens, includeUsage = false }) {
  return { id, model, tokens, includeUsage, promptTokens: count(messages), created: Math.floor(Date.now() / 1000) };
}

const sse = (object) => ({ text: `data: ${JSON.stringify(object)}\n\n` });

const openai = {
  name: 'openai',
  path: '/v1/chat/completions',
  streamType: 'text/event-stream; charset=utf-8',

  request: (model, stream, messages) => ({
    model,
    messages,
    stream,
    ...(stream ? { stream_options: { include_usage: true } } : {}),
  }),
  wantsStream: (body) => body.stream === true,
  wantsUsage: (body) => body.stream_options?.include_usage === true,

  // The frames of a stream, in order: [{ text, isContent, isEnd, isSentinel }]. isEnd: once it is out, the answer is complete.
  frames(a) {
    const chunk = (delta, finish = null) => ({
      id: a.id,
      object: 'chat.completion.chunk',
      created: a.created,
      model: a.model,
      choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
    });
    const usage = {
      prompt_tokens: a.promptTokens,
      completion_tokens: a.tokens.length,
      total_tokens: a.promptTokens + a.tokens.length,
    };
    return [
      sse(chunk({ role: 'assistant', content: '' })),
      ...a.tokens.map((token) => ({ ...sse(chunk({ content: token })), isContent: true })),
      { ...sse(chunk({}, 'stop')), isEnd: true },
      ...(a.includeUsage ? [sse({ ...chunk({}), choices: [], usage })] : []),
      { text: 'data: [DONE]\n\n', isSentinel: true },
    ];
  },
  wholeAnswer: (a) => ({
    id: a.id,
    object: 'chat.completion',
    created: a.created,
    model: a.model,
    choices: [
      { index: 0, message: { role: 'assistant', content: a.tokens.join('') }, logprobs: null, finish_reason: 'stop' },
    ],
    usage: {
      prompt_tokens: a.promptTokens,
      completion_tokens: a.tokens.length,
      total_tokens: a.promptTokens + a.tokens.length,
    },
  }),
  error: (status, message, code) => ({
    error: { message, type: status < 500 ? 'invalid_request_error' : 'server_error', param: null, code: code ?? null },
  }),
  errorFrame: (message) => sse({ error: { message, type: 'server_error', code: null } }).text,
  malformedFrame: (a) => `data: {"id":"${a.id}","object":"chat.completion.chunk","choices":[{"delta":{"content":\n\n`,
  // Without [DONE]: everything was said, only the word for it is missing.
  withoutSentinel: (frames) => frames.filter((frame) => !frame.isSentinel),

  // What a client makes of a piece between two blank lines; nothing for a comment.
  payload(block) {
    const lines = block.split('\n').filter((line) => line.startsWith('data:'));
    return lines.length === 0 ? undefined : lines.map((line) => line.slice(5).trim()).join('\n');
  },
  separator: '\n\n',
  isSentinel: (payload) => payload === '[DONE]',
  contentOf: (object) => (object.choices ?? []).map((choice) => choice.delta?.content ?? '').join(''),
  isEnd: (object) => (object.choices ?? []).some((choice) => choice.finish_reason != null),
  usageOf: (object) => object.usage ?? undefined,
  errorOf: (object) => object.error && (object.error.message ?? JSON.stringify(object.error)),
  codeOf: (object) => object.error?.code ?? undefined,
  wholeContent: (object) => object.choices?.[0]?.message?.content,
};

const line = (object) => ({ text: `${JSON.stringify(object)}\n` });

const ollama = {
  name: 'ollama',
  path: '/api/chat',
  streamType: 'application/x-ndjson',

  request: (model, stream, messages) => ({ model, messages, ...(stream ? {} : { stream: false }) }),
  wantsStream: (body) => body.stream !== false,
  wantsUsage: () => true,

  frames(a) {
    const frame = (content, more) => ({
      model: a.model,
      created_at: new Date().toISOString(),
      message: { role: 'assistant', content },
      done: false,
      ...more,
    });
    return [
      ...a.tokens.map((token) => ({ ...line(frame(token)), isContent: true })),
      { ...line(frame('', this.end(a))), isEnd: true, isSentinel: true },
    ];
  },
  end: (a) => ({
    done: true,
    done_reason: 'stop',
    total_duration: 174560334,
    load_duration: 101397084,
    prompt_eval_count: a.promptTokens,
    prompt_eval_duration: 13074791,
    eval_count: a.tokens.length,
    eval_duration: 52479709,
  }),
  wholeAnswer(a) {
    return {
      model: a.model,
      created_at: new Date().toISOString(),
      message: { role: 'assistant', content: a.tokens.join('') },
      ...this.end(a),
    };
  },
  error: (status, message) => ({ error: message }),
  errorFrame: (message) => line({ error: message }).text,
  malformedFrame: () => '{"model":"qwen3:32b","message":{"role":"assistant","content":\n',
  // "done": true is content of this dialect, not a word after it; what can be missing is the end of its line.
  withoutSentinel: (frames) =>
    frames.map((frame) => (frame.isSentinel ? { ...frame, text: frame.text.trimEnd() } : frame)),

  payload: (block) => (block.trim() === '' ? undefined : block),
  separator: '\n',
  isSentinel: () => false,
  contentOf: (object) => object.message?.content ?? '',
  isEnd: (object) => object.done === true,
  usageOf: (object) =>
    object.eval_count === undefined
      ? undefined
      : { prompt_tokens: object.prompt_eval_count, completion_tokens: object.eval_count },
  errorOf: (object) => object.error && (typeof object.error === 'string' ? object.error : JSON.stringify(object.error)),
  codeOf: () => undefined,
  wholeContent: (object) => object.message?.content,
};

const event = (object) => ({ text: `event: ${object.type}\ndata: ${JSON.stringify(object)}\n\n` });

const anthropic = {
  name: 'anthropic',
  path: '/v1/messages',
  streamType: 'text/event-stream; charset=utf-8',

  request: (model, stream, messages) => ({ model, max_tokens: 1000, messages, ...(stream ? { stream: true } : {}) }),
  wantsStream: (body) => body.stream === true,
  wantsUsage: () => true,
  refusesPrefill: (text) => /\s$/.test(text), // "final assistant content cannot end with trailing whitespace"

  message: (a) => ({
    id: a.id,
    type: 'message',
    role: 'assistant',
    model: a.model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: a.promptTokens, output_tokens: 1 },
  }),
  usage: (a) => ({ input_tokens: a.promptTokens, output_tokens: a.tokens.length }),
  frames(a) {
    const delta = (text) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } });
    return [
      event({ type: 'message_start', message: this.message(a) }),
      event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
      event({ type: 'ping' }),
      ...a.tokens.map((token) => ({ ...event(delta(token)), isContent: true })),
      event({ type: 'content_block_stop', index: 0 }),
      {
        ...event({
          type: 'message_delta',
          delta: { stop_reason: 'end_turn', stop_sequence: null },
          usage: this.usage(a),
        }),
        isEnd: true,
      },
      { ...event({ type: 'message_stop' }), isSentinel: true },
    ];
  },
  wholeAnswer(a) {
    const content = [{ type: 'text', text: a.tokens.join('') }];
    return { ...this.message(a), content, stop_reason: 'end_turn', usage: this.usage(a) };
  },
  error: (status, message) => ({
    type: 'error',
    error: { type: status < 500 ? 'invalid_request_error' : 'api_error', message },
  }),
  errorFrame: (message) => event({ type: 'error', error: { type: 'api_error', message } }).text,
  malformedFrame: () => 'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"text":\n\n',
  withoutSentinel: openai.withoutSentinel,

  payload: openai.payload,
  separator: '\n\n',
  isSentinel: (payload) => payload === '{"type":"message_stop"}',
  contentOf: (object) => (object.type === 'content_block_delta' ? (object.delta.text ?? '') : ''),
  isEnd: (object) => object.type === 'message_delta' && object.delta.stop_reason !== null,
  // That of message_start is a beginning; whole answers have theirs at the top.
  usageOf: (object) =>
    object.usage && { prompt_tokens: object.usage.input_tokens, completion_tokens: object.usage.output_tokens },
  errorOf: (object) => (object.type === 'error' ? object.error.message : undefined),
  codeOf: () => undefined,
  wholeContent: (object) => object.content?.map((block) => block.text).join(''),
  sourceOf: (object) => object.message ?? object, // what has id and model
};

export const dialects = { openai, ollama, anthropic };
export const dialectOf = (path) => Object.values(dialects).find((dialect) => dialect.path === path);

// The texts of content frames for `text`: 'words', or 'letters' for a model that cuts it differently, or 'whole'.
export const tokenisers = { words, letters: (text) => [...text], whole };
