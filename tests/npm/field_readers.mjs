// The clients that people use, each asked for a stream as an application would. What comes back is what the application would believe:
// { complete, text, error }. An exception is an honest failure; whatever ends without one is believed.
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import Anthropic from '@anthropic-ai/sdk';
import { streamText } from 'ai';
import { Ollama } from 'ollama';
import OpenAI from 'openai';

console.warn = () => {}; // the client of Ollama tells there of every piece that it could not read
globalThis.AI_SDK_LOG_WARNINGS = false;
// Debian 12 has Node.js 18, for which this client is not made.
export const langchain = Number(process.versions.node.split('.')[0]) >= 20 ? await import('@langchain/ollama') : null;
if (!langchain) console.log('without @langchain/ollama, which wants Node.js 20');

const messages = [{ role: 'user', content: 'hi' }];
// Its own retries are switched off: what is tried is the gateway.
const settings = (port, path = '') => ({ baseURL: `http://127.0.0.1:${port}${path}`, apiKey: 'none', maxRetries: 0, logLevel: 'off' });

// Mistral's models that think say it in parts.
const textOf = (content) => (Array.isArray(content) ? content.map((part) => (part.type === 'text' ? part.text : '')).join('') : (content ?? ''));

async function believe(ask) {
  const seen = { text: '', complete: false };
  try {
    await ask(seen);
    seen.complete = true;
  } catch (error) {
    seen.error = `${error.name}: ${error.message}`;
  }
  return seen;
}

const vercel = (modelAt) => (port) =>
  believe(async (seen) => {
    const { fullStream } = streamText({ model: modelAt(port), prompt: 'hi', maxRetries: 0, maxOutputTokens: 9, onError: () => {} });
    for await (const part of fullStream) {
      if (part.type === 'text-delta') seen.text += part.text;
      if (part.type === 'error') throw part.error instanceof Error ? part.error : new Error(JSON.stringify(part.error));
      if (part.type === 'finish' && part.finishReason === 'error') throw new Error('the reason is an error');
    }
  });

// Of each API that tests/field has streams of. `choices`: whether it can ask for several.
export const readers = [
  {
    name: 'openai', api: 'openai_chat', choices: true,
    read: (port, choices) =>
      believe(async (seen) => {
        const client = new OpenAI(settings(port, '/v1'));
        for await (const chunk of await client.chat.completions.create({ model: 'm', n: choices, messages, stream: true })) {
          for (const choice of chunk.choices ?? []) seen.text += textOf(choice.delta?.content);
        }
      }),
  },
  {
    name: 'openai, text completions', api: 'openai_completions',
    read: (port) =>
      believe(async (seen) => {
        const client = new OpenAI(settings(port, '/v1'));
        for await (const chunk of await client.completions.create({ model: 'm', prompt: 'hi', stream: true })) {
          for (const choice of chunk.choices ?? []) seen.text += choice.text ?? '';
        }
      }),
  },
  {
    name: 'openai, responses', api: 'openai_responses',
    read: (port) =>
      believe(async (seen) => {
        const client = new OpenAI(settings(port, '/v1'));
        let has_end = false;
        for await (const event of await client.responses.create({ model: 'm', input: 'hi', stream: true })) {
          if (event.type === 'response.output_text.delta') seen.text += event.delta;
          if (event.type === 'response.completed' || event.type === 'response.incomplete') has_end = true;
          if (event.type === 'response.failed' || event.type === 'error') throw new Error(event.response?.error?.message ?? event.message ?? 'failed');
        }
        if (!has_end) throw new Error('no response.completed'); // what every agent does
      }),
  },
  {
    name: '@anthropic-ai/sdk', api: 'anthropic_messages',
    read: (port) =>
      believe(async (seen) => {
        const stream = new Anthropic(settings(port)).messages.stream({ model: 'm', max_tokens: 9, messages });
        stream.on('text', (text) => (seen.text += text));
        await stream.finalMessage();
      }),
  },
  {
    name: 'ollama', api: 'ollama_chat',
    read: (port) =>
      believe(async (seen) => {
        const client = new Ollama({ host: `http://127.0.0.1:${port}` });
        for await (const part of await client.chat({ model: 'm', messages, stream: true })) seen.text += part.message?.content ?? '';
      }),
  },
  {
    name: 'ollama, generate', api: 'ollama_generate',
    read: (port) =>
      believe(async (seen) => {
        const client = new Ollama({ host: `http://127.0.0.1:${port}` });
        for await (const part of await client.generate({ model: 'm', prompt: 'hi', stream: true })) seen.text += part.response ?? '';
      }),
  },
  langchain && {
    name: '@langchain/ollama', api: 'ollama_chat',
    read: (port) =>
      believe(async (seen) => {
        const model = new langchain.ChatOllama({ baseUrl: `http://127.0.0.1:${port}`, model: 'm', maxRetries: 0 });
        for await (const part of await model.stream('hi')) seen.text += part.content;
      }),
  },
  { name: 'ai, @ai-sdk/openai chat', api: 'openai_chat', read: vercel((port) => createOpenAI(settings(port, '/v1')).chat('m')) },
  { name: 'ai, @ai-sdk/openai responses', api: 'openai_responses', read: vercel((port) => createOpenAI(settings(port, '/v1')).responses('m')) },
  { name: 'ai, @ai-sdk/anthropic', api: 'anthropic_messages', read: vercel((port) => createAnthropic(settings(port, '/v1'))('m')) },
  {
    name: 'ai, @ai-sdk/openai-compatible', api: 'openai_chat',
    read: vercel((port) => createOpenAICompatible({ name: 'field', ...settings(port, '/v1') })('m')),
  },
].filter(Boolean);
