// One question through each of the real clients, as an application would ask it. What comes back is what the application would
// believe: { complete, text, models, error }. An exception is an honest failure; whatever ends without one is believed.
import { Ollama } from 'ollama';
import OpenAI from 'openai';

console.warn = () => {}; // the client of Ollama tells there of every piece that it could not read

export const clients = {
  async openai({ port, stream, question, on_text }) {
    // Its own retries are switched off: what is tried is the gateway.
    const client = new OpenAI({
      baseURL: `http://127.0.0.1:${port}/v1`,
      apiKey: 'none',
      maxRetries: 0,
      logLevel: 'off',
    });
    const request = { model: 'qwen3:32b', messages: [{ role: 'user', content: question }] };
    return believe(async (seen) => {
      if (!stream) {
        const answer = await client.chat.completions.create(request);
        seen.models.add(answer.model);
        seen.text = answer.choices[0].message.content;
        return;
      }
      for await (const chunk of await client.chat.completions.create({ ...request, stream: true })) {
        seen.models.add(chunk.model);
        seen.text += chunk.choices[0]?.delta?.content ?? '';
        if (seen.text !== '') on_text?.();
      }
    });
  },

  async ollama({ port, stream, question, on_text }) {
    const client = new Ollama({ host: `http://127.0.0.1:${port}` });
    const request = { model: 'qwen3:32b', messages: [{ role: 'user', content: question }] };
    return believe(async (seen) => {
      if (!stream) {
        const answer = await client.chat({ ...request, stream: false });
        seen.models.add(answer.model);
        seen.text = answer.message.content;
        return;
      }
      for await (const frame of await client.chat({ ...request, stream: true })) {
        seen.models.add(frame.model);
        seen.text += frame.message.content;
        if (seen.text !== '') on_text?.();
      }
    });
  },
};

async function believe(ask) {
  const seen = { text: '', models: new Set(), complete: false };
  try {
    await ask(seen);
    seen.complete = true;
  } catch (error) {
    seen.error = `${error.name}: ${error.message}`;
  }
  return { ...seen, models: [...seen.models] };
}
