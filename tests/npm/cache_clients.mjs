// The npm clients `openai` and `ollama` read one entry of a cache in both shapes: as an object, and as a stream that the gateway
// makes of it, or the other way round.
//
//   node cache_clients.mjs BREAKWATER
import { ANSWER } from '../failover/dialects.mjs';
import { startBreakwater } from '../failover/gateways.mjs';
import { Provider } from '../failover/provider.mjs';
import { clients } from './real_clients.mjs';

const policy = `edition 1
gateway { listen = "127.0.0.1:0" }
cache answers { key = "\${request.path} \${request.json.messages}"  ttl = 1h  shared = true }
upstream main { url = env("LARGE_URL") }
route all { to = main  cache = answers }
`;

// [client, whether the first one reads a stream, how often the model is asked for a stream and an object]
const stories = [
  ['ollama', false, 1],
  ['ollama', true, 1],
  ['openai', false, 1],
  ['openai', true, 2], // its stream has no usage, which an object must have
];

const provider = await new Provider('large').listen();
const gateway = await startBreakwater({
  executable: process.argv[2],
  policy,
  environment: { LARGE_URL: `http://127.0.0.1:${provider.port}` },
});
let wrong = 0;
for (const [name, first, expected] of stories) {
  provider.reset();
  const got = [];
  for (const stream of [first, !first, first, !first])
    got.push(await clients[name]({ port: gateway.port, stream, question: `${name} ${first}` }));
  const asked = provider.attempts.length;
  const holds = asked === expected && got.every((answer) => answer.complete && answer.text === ANSWER);
  if (!holds) ++wrong;
  console.log(
    `${holds ? '  ' : '! '}${name.padEnd(7)} ${first ? 'stream' : 'object'} first: the model was asked ${asked} of 4 times` +
      got.map((answer) => answer.error ?? '').join(' '),
  );
}
await gateway.stop();
await provider.close();
process.exit(wrong > 0 ? 1 : 0);
