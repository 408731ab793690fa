// Reads one chat answer with the npm client of Ollama, whole and as a stream, and prints what the client made of both as
// one line of JSON. Exit code 1, with the exception on standard error, if the client threw.
//
//   node read_chat.mjs http://127.0.0.1:8080 [QUESTION]
import { Ollama } from 'ollama';

const [url, question = 'Why is the sky blue?'] = process.argv.slice(2);
if (!url) {
  console.error('usage: node read_chat.mjs URL [QUESTION]');
  process.exit(2);
}

// Everything that members of the answers' frames say, later ones over earlier ones; text is joined.
function merge(frames) {
  const all = {};
  let text = '';
  for (const frame of frames) {
    Object.assign(all, frame);
    text += typeof frame.message === 'string' ? frame.message : frame.message?.content ?? '';
  }
  return { frames: frames.length, text, done: all.done, is_fallback: all.is_fallback, suggestion: all.suggestion };
}

const client = new Ollama({ host: url });
const request = { model: 'qwen3:32b', messages: [{ role: 'user', content: question }] };

const whole = merge([await client.chat({ ...request, stream: false })]);
const frames = [];
for await (const frame of await client.chat({ ...request, stream: true })) frames.push(frame);
console.log(JSON.stringify({ whole, stream: merge(frames) }));
