// What applications do with the real clients beside reading a stream to its end: calls of tools, whole answers and their parts, structured
// output, embeddings, lists of models, uploads, leaving in the middle. Each is done straight and through the gateway; what comes of it at
// the client and what came to the server must be the same.
//
//   node client_features.mjs BREAKWATER
import assert from 'node:assert';
import { createHash } from 'node:crypto';
import http from 'node:http';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import Anthropic from '@anthropic-ai/sdk';
import { embedMany, generateText, jsonSchema, streamText, tool } from 'ai';
import { Ollama } from 'ollama';
import OpenAI, { toFile } from 'openai';
import { startBreakwater } from '../failover/gateways.mjs';
import { langchain } from './field_readers.mjs';

globalThis.AI_SDK_LOG_WARNINGS = false;
const [executable] = process.argv.slice(2);

// ---- The server -----------------------------------------------------------------------------------------------------

const event = (object, name) => `${name ? `event: ${name}\n` : ''}data: ${JSON.stringify(object)}\n\n`;
const named = (object) => event(object, object.type);
const chunk = (delta, finish_reason = null, more = {}) =>
  event({ id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason }], ...more });
const call = { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Rome"}' } };

const answers = {
  '/v1/chat/completions': ({ stream, tools }) => {
    if (!stream) {
      const message = tools ? { role: 'assistant', content: null, tool_calls: [call] } : { role: 'assistant', content: 'Hello', refusal: null };
      return { id: 'c1', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message, logprobs: null, finish_reason: tools ? 'tool_calls' : 'stop' }],
               usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 } };
    }
    if (!tools) return [chunk({ role: 'assistant', content: 'Hel' }), chunk({ content: 'lo' }), chunk({}, 'stop', { usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 } }), 'data: [DONE]\n\n'];
    const part = (text, head = {}) => chunk({ ...(head.id ? { role: 'assistant', content: null } : {}), tool_calls: [{ index: 0, ...head, function: { ...(head.id ? { name: 'weather' } : {}), arguments: text } }] });
    return [part('', { id: 'call_1', type: 'function' }), part('{"city":'), part('"Rome"}'), chunk({}, 'tool_calls'), 'data: [DONE]\n\n'];
  },
  '/v1/responses': ({ stream }) => {
    const item = { id: 'msg_1', type: 'message', status: 'completed', role: 'assistant', content: [{ type: 'output_text', text: 'Hello', annotations: [], logprobs: [] }] };
    const response = (status, output) => ({ id: 'resp_1', object: 'response', created_at: 1, status, error: null, incomplete_details: null, model: 'm', output, parallel_tool_calls: true, tools: [],
                                            usage: status === 'completed' ? { input_tokens: 3, output_tokens: 2, total_tokens: 5, input_tokens_details: { cached_tokens: 0 }, output_tokens_details: { reasoning_tokens: 0 } } : null });
    if (!stream) return response('completed', [item]);
    const at = { item_id: 'msg_1', output_index: 0, content_index: 0 };
    return [
      { type: 'response.created', response: response('in_progress', []) },
      { type: 'response.output_item.added', output_index: 0, item: { ...item, status: 'in_progress', content: [] } },
      { type: 'response.content_part.added', ...at, part: { type: 'output_text', text: '', annotations: [] } },
      { type: 'response.output_text.delta', ...at, delta: 'Hel', logprobs: [] },
      { type: 'response.output_text.delta', ...at, delta: 'lo', logprobs: [] },
      { type: 'response.output_text.done', ...at, text: 'Hello', logprobs: [] },
      { type: 'response.output_item.done', output_index: 0, item },
      { type: 'response.completed', response: response('completed', [item]) },
    ].map((object, number) => named({ ...object, sequence_number: number }));
  },
  '/v1/messages': ({ stream, tools }) => {
    const block = tools ? { type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Rome' } } : { type: 'text', text: 'Hello' };
    const message = { id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content: [block], stop_reason: tools ? 'tool_use' : 'end_turn', stop_sequence: null, usage: { input_tokens: 3, output_tokens: 2 } };
    if (!stream) return message;
    const deltas = tools ? ['{"city":', '"Rome"}'].map((partial_json) => ({ type: 'input_json_delta', partial_json })) : ['Hel', 'lo'].map((text) => ({ type: 'text_delta', text }));
    return [
      { type: 'message_start', message: { ...message, content: [], stop_reason: null } },
      { type: 'content_block_start', index: 0, content_block: tools ? { ...block, input: {} } : { ...block, text: '' } },
      ...deltas.map((delta) => ({ type: 'content_block_delta', index: 0, delta })),
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: { stop_reason: message.stop_reason, stop_sequence: null }, usage: { output_tokens: 2 } },
      { type: 'message_stop' },
    ].map(named);
  },
  '/v1/messages/count_tokens': () => ({ input_tokens: 14 }),
  '/api/chat': ({ stream, tools }) => {
    const message = tools ? { role: 'assistant', content: '', tool_calls: [{ function: { name: 'weather', arguments: { city: 'Rome' } } }] } : { role: 'assistant', content: 'Hello' };
    const end = { done: true, done_reason: 'stop', total_duration: 1, load_duration: 1, prompt_eval_count: 3, prompt_eval_duration: 1, eval_count: 2, eval_duration: 1 };
    const line = (object) => `${JSON.stringify({ model: 'm', created_at: '2026-01-01T00:00:00Z', ...object })}\n`;
    if (stream === false) return { model: 'm', created_at: '2026-01-01T00:00:00Z', message, ...end };
    return tools ? [line({ message, done: false }), line({ message: { role: 'assistant', content: '' }, ...end })]
                 : [...['Hel', 'lo'].map((content) => line({ message: { role: 'assistant', content }, done: false })), line({ message: { role: 'assistant', content: '' }, ...end })];
  },
  '/v1/embeddings': ({ input }) => ({ object: 'list', model: 'm', data: [input].flat().map((_, index) => ({ object: 'embedding', index, embedding: [0.25, -1, index] })), usage: { prompt_tokens: 2, total_tokens: 2 } }),
  '/api/embed': ({ input }) => ({ model: 'm', embeddings: [input].flat().map((_, index) => [0.25, -1, index]), total_duration: 1, load_duration: 1, prompt_eval_count: 2 }),
  '/v1/models': () => ({ object: 'list', data: [{ id: 'm', object: 'model', created: 1, owned_by: 'me' }] }),
  '/api/tags': () => ({ models: [{ name: 'm', model: 'm', modified_at: '2026-01-01T00:00:00Z', size: 1, digest: 'd', details: {} }] }),
  '/v1/audio/transcriptions': () => ({ text: 'spoken words' }),
  '/v1/files': () => ({ id: 'file_1', object: 'file', bytes: 3, created_at: 1, filename: 'a.jsonl', purpose: 'batch', status: 'processed' }),
};

const seen = []; // what came to the server
let left = 0; // how many clients left in the middle
let slow = false;
const server = http.createServer((request, response) => {
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', async () => {
    const bytes = Buffer.concat(pieces);
    const is_json = /json/.test(request.headers['content-type'] ?? '');
    // The boundary of an upload is drawn anew each time.
    const boundary = /boundary=(.*)$/.exec(request.headers['content-type'] ?? '')?.[1];
    const stable = boundary ? bytes.toString('latin1').replaceAll(boundary.replaceAll('"', ''), 'B') : bytes;
    seen.push(`${request.method} ${request.url} ${bytes.length} ${createHash('sha256').update(stable).digest('hex')}`);
    const answer = answers[request.url](is_json && bytes.length > 0 ? JSON.parse(bytes) : {});
    if (!Array.isArray(answer)) {
      response.writeHead(200, { 'Content-Type': 'application/json' });
      return response.end(JSON.stringify(answer));
    }
    response.writeHead(200, { 'Content-Type': request.url.startsWith('/api') ? 'application/x-ndjson' : 'text/event-stream' });
    response.on('close', () => (left += response.writableEnded ? 0 : 1));
    for (const piece of answer) {
      if (response.destroyed) return;
      response.write(piece);
      if (slow) await new Promise((resolve) => setTimeout(resolve, 100));
    }
    response.end();
  });
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const policy = `edition 1
gateway { listen = "127.0.0.1:0" }
upstream main { url = env("LARGE_URL") }
route all { to = main }
`;
const gateway = await startBreakwater({ executable, policy, environment: { LARGE_URL: `http://127.0.0.1:${server.address().port}` } });

// ---- What is done ---------------------------------------------------------------------------------------------------

const messages = [{ role: 'user', content: 'hi' }];
const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
const openai_tools = [{ type: 'function', function: { name: 'weather', parameters: schema } }];
const of = {
  openai: (port) => new OpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: 'none', maxRetries: 0 }),
  anthropic: (port) => new Anthropic({ baseURL: `http://127.0.0.1:${port}`, apiKey: 'none', maxRetries: 0 }),
  ollama: (port) => new Ollama({ host: `http://127.0.0.1:${port}` }),
  langchain: (port) => new langchain.ChatOllama({ baseUrl: `http://127.0.0.1:${port}`, model: 'm', maxRetries: 0 }),
};
const vercel = {
  '@ai-sdk/openai chat': (port) => createOpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: 'none' }).chat('m'),
  '@ai-sdk/openai responses': (port) => createOpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: 'none' }).responses('m'),
  '@ai-sdk/anthropic': (port) => createAnthropic({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: 'none' })('m'),
  '@ai-sdk/openai-compatible': (port) => createOpenAICompatible({ name: 'm', baseURL: `http://127.0.0.1:${port}/v1` })('m'),
};
const all = async (stream) => {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return parts;
};
const sound = Buffer.alloc(2 << 20, 'sound of two megabytes ');

const features = {
  'openai: a whole answer': (port) => of.openai(port).chat.completions.create({ model: 'm', messages }),
  'openai: a stream': async (port) => all(await of.openai(port).chat.completions.create({ model: 'm', messages, stream: true })),
  'openai: a call': (port) => of.openai(port).chat.completions.create({ model: 'm', messages, tools: openai_tools }),
  'openai: a call in a stream': (port) => of.openai(port).chat.completions.stream({ model: 'm', messages, tools: openai_tools }).finalChatCompletion(),
  'openai: a response': (port) => of.openai(port).responses.create({ model: 'm', input: 'hi' }),
  'openai: a response in a stream': async (port) => all(await of.openai(port).responses.create({ model: 'm', input: 'hi', stream: true })),
  'openai: embeddings': (port) => of.openai(port).embeddings.create({ model: 'm', input: ['a', 'b'], encoding_format: 'float' }),
  'openai: models': async (port) => (await of.openai(port).models.list()).data,
  'openai: an upload': async (port) => of.openai(port).audio.transcriptions.create({ model: 'm', file: await toFile(sound, 'a.wav') }),
  'openai: a file': async (port) => of.openai(port).files.create({ purpose: 'batch', file: await toFile(Buffer.from('{}\n'), 'a.jsonl') }),
  'openai: a picture of 2 MiB': (port) =>
    of.openai(port).chat.completions.create({ model: 'm', messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: `data:image/png;base64,${sound.toString('base64')}` } }] }] }),
  'anthropic: a whole answer': (port) => of.anthropic(port).messages.create({ model: 'm', max_tokens: 9, messages }),
  'anthropic: a stream': (port) => of.anthropic(port).messages.stream({ model: 'm', max_tokens: 9, messages }).finalMessage(),
  'anthropic: a call in a stream': (port) =>
    of.anthropic(port).messages.stream({ model: 'm', max_tokens: 9, messages, tools: [{ name: 'weather', input_schema: schema }] }).finalMessage(),
  'anthropic: a count of tokens': (port) => of.anthropic(port).messages.countTokens({ model: 'm', messages }),
  'ollama: a whole answer': (port) => of.ollama(port).chat({ model: 'm', messages }),
  'ollama: a stream': async (port) => all(await of.ollama(port).chat({ model: 'm', messages, stream: true })),
  'ollama: a call in a stream': async (port) => all(await of.ollama(port).chat({ model: 'm', messages, tools: openai_tools, stream: true })),
  'ollama: embeddings': (port) => of.ollama(port).embed({ model: 'm', input: ['a', 'b'] }),
  'ollama: models': (port) => of.ollama(port).list(),
  'ai: embeddings': async (port) =>
    (await embedMany({ model: createOpenAI({ baseURL: `http://127.0.0.1:${port}/v1`, apiKey: 'none' }).embedding('m'), values: ['a', 'b'], maxRetries: 0 })).embeddings,
};
if (langchain) Object.assign(features, {
  'langchain: a whole answer': async (port) => (await of.langchain(port).invoke('hi')).content,
  'langchain: a stream': async (port) => (await all(await of.langchain(port).stream('hi'))).map(({ content }) => content),
  'langchain: a call': async (port) => (await of.langchain(port).bindTools(openai_tools).invoke('hi')).tool_calls.map(({ name, args }) => ({ name, args })),
  'langchain: embeddings': (port) => new langchain.OllamaEmbeddings({ baseUrl: `http://127.0.0.1:${port}`, model: 'm', maxRetries: 0 }).embedDocuments(['a', 'b']),
});
for (const [name, modelAt] of Object.entries(vercel)) {
  features[`ai, ${name}: a whole answer`] = async (port) => {
    const { text, finishReason, usage } = await generateText({ model: modelAt(port), prompt: 'hi', maxRetries: 0 });
    return { text, finishReason, usage };
  };
  features[`ai, ${name}: a stream`] = async (port) => {
    const { fullStream } = streamText({ model: modelAt(port), prompt: 'hi', maxRetries: 0 });
    return (await all(fullStream)).filter(({ type }) => type === 'text-delta' || type === 'finish').map(({ type, text, finishReason }) => ({ type, text, finishReason }));
  };
  if (name.endsWith('responses')) continue;
  features[`ai, ${name}: a call in a stream`] = async (port) => {
    const tools = { weather: tool({ description: 'The weather.', inputSchema: jsonSchema(schema) }) };
    const { toolCalls } = streamText({ model: modelAt(port), prompt: 'hi', tools, maxRetries: 0 });
    return (await toolCalls).map(({ toolName, input }) => ({ toolName, input }));
  };
}

// Leaves after the first part. The server must hear of it.
const leave = async (ask) => {
  slow = true;
  const before = left;
  const aborts = new AbortController();
  try {
    const stream = await ask(aborts.signal);
    for await (const _ of stream) {
      stream.abort?.(); // the client of Ollama reads on where it is only left
      break;
    }
  } catch {} // some clients throw where they are left
  aborts.abort();
  const limit = Date.now() + 10_000;
  while (left === before && Date.now() < limit) await new Promise((resolve) => setTimeout(resolve, 5));
  slow = false;
  return { heard: left - before };
};
features['openai: leaves in the middle'] = (port) => leave((signal) => of.openai(port).chat.completions.create({ model: 'm', messages, stream: true }, { signal }));
features['anthropic: leaves in the middle'] = (port) => leave((signal) => of.anthropic(port).messages.create({ model: 'm', max_tokens: 9, messages, stream: true }, { signal }));
features['ollama: leaves in the middle'] = (port) => leave(() => of.ollama(port).chat({ model: 'm', messages, stream: true }));
features['ai: leaves in the middle'] = (port) => leave(async (abortSignal) => streamText({ model: vercel['@ai-sdk/openai chat'](port), prompt: 'hi', maxRetries: 0, abortSignal, onError: () => {} }).textStream);

// ---- Straight, and through the gateway ---------------------------------------------------------------------------------

// What the client itself notes of the connection.
const plain = (value) => JSON.parse(JSON.stringify(value, (name, member) => (name === '_request_id' ? undefined : member)));

let wrong = 0;
for (const [name, act] of Object.entries(features)) {
  const results = [];
  for (const port of [server.address().port, gateway.port]) {
    seen.length = 0;
    try {
      const result = plain(await act(port));
      results.push({ result, seen: [...seen] });
    } catch (error) {
      results.push({ error: `${error.name}: ${error.message}`, seen: [...seen] });
    }
  }
  try {
    assert.equal(results[0].error, undefined);
    assert.deepEqual(results[1], results[0]);
    if (results[0].result?.heard !== undefined) assert.equal(results[0].result.heard, 1);
  } catch (error) {
    ++wrong;
    console.log(`! ${name}: ${error.message}`);
  }
}

await gateway.stop?.();
server.closeAllConnections();
server.close();
console.log(`${Object.keys(features).length} things done with clients, straight and through the gateway; ${wrong} came out differently`);
process.exit(wrong === 0 ? 0 : 1);
