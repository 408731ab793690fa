// The gateways that the harness can put between client and providers. Each starts one and says how it is to be asked:
//   { port, headers(providers), stop(), log? }
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const START_LIMIT_MS = 60_000;

// ---- Policies

// Every time of a policy, `scale` times as long; but not what `honour` says, because Retry-After is not scaled either, and not
// the limit for connecting: on this machine it takes nothing, and a busy machine must not seem to be a fault.
export function scaleTimes(policy, scale) {
  const unit_ms = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 };
  return policy
    .split('\n')
    .map((line) => {
      const [code] = line.split('#'); // no string of these policies holds a #
      if (/\bhonour\b/.test(code)) return line;
      return code.replace(
        /(?<!connect = )\b(\d+)(ms|s|min|h)\b/g,
        (_, number, unit) => `${Math.max(1, Math.round(number * unit_ms[unit] * scale))}ms`,
      );
    })
    .join('\n');
}

// A policy with something taken out or changed: [[pattern, replacement], …], each of which must be found.
export function change(policy, changes) {
  return changes.reduce((text, [pattern, replacement]) => {
    const changed = text.replace(pattern, replacement);
    if (changed === text) throw new Error(`the policy has nothing like ${pattern}`);
    return changed;
  }, policy);
}

const settingOf = (policy, name) => policy.match(new RegExp(`\\b${name}\\s*=\\s*(\\d+)s\\b`))?.[1];
export const openForSeconds = (policy) => Number(settingOf(policy, 'open_for') ?? Infinity);

// ---- Breakwater

export async function startBreakwater({ executable, policy, environment }) {
  const folder = mkdtempSync(join(tmpdir(), 'breakwater-failover-'));
  const file = join(folder, 'failover.policy');
  writeFileSync(file, change(policy, [[/listen\s*=\s*"[^"]*"/, 'listen = "127.0.0.1:0"  admin = "127.0.0.1:0"']]));
  const child = spawn(executable, ['run', file, '--workers', '1'], { env: { ...process.env, ...environment } });
  const events = [];
  const accesses = [];
  const errors = [];
  const wanted = [];
  const wake = () => wanted.splice(0).forEach((look) => look());
  createInterface({ input: child.stdout }).on('line', (text) => {
    accesses.push(JSON.parse(text));
    wake();
  });
  createInterface({ input: child.stderr }).on('line', (text) => {
    try {
      events.push(JSON.parse(text));
    } catch {
      errors.push(text);
    }
    wake();
  });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  ended.then(wake);

  // The first of `list` for which `holds`, now or later.
  const find = async (list, holds, what) => {
    const limit = performance.now() + START_LIMIT_MS;
    for (;;) {
      const found = list.find(holds);
      if (found) return found;
      if (child.exitCode !== null || child.signalCode !== null || performance.now() > limit)
        throw new Error(
          `the gateway did not say ${what}\n${[...errors, ...events.map((event) => JSON.stringify(event))].join('\n')}`,
        );
      await Promise.race([new Promise((resolve) => wanted.push(resolve)), sleepUnref(1000)]);
    }
  };
  await find(events, (event) => event.message === 'ready', 'ready');
  const { address } = events.find((event) => event.message === 'listening');
  return {
    port: Number(address.match(/:(\d+)$/)[1]), // /metrics and /health/ are there, too
    headers: () => ({}),
    events,
    access: (holds) => find(accesses, holds, 'such a line of the access log'),
    async stop() {
      child.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true, force: true });
      const report = errors.find((text) => /Sanitizer: |runtime error: /.test(text));
      if (report) throw new Error(`a sanitizer spoke up in the gateway\n${errors.join('\n')}`);
    },
  };
}

// ---- Portkey's gateway

const PORTKEY = fileURLToPath(new URL('portkey/node_modules/@portkey-ai/gateway/', import.meta.url));

export async function startPortkey({ scale }) {
  const port = await freePort();
  const { bin } = JSON.parse(readFileSync(join(PORTKEY, 'package.json')));
  const child = spawn(
    'node',
    [join(PORTKEY, typeof bin === 'string' ? bin : Object.values(bin)[0]), `--port=${port}`, '--headless'],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, NODE_ENV: 'production' } },
  );
  let errors = '';
  child.stderr.on('data', (text) => {
    errors += text;
  });
  const limit = performance.now() + START_LIMIT_MS;
  while (!(await answers(port))) {
    if (child.exitCode !== null || performance.now() > limit)
      throw new Error(`Portkey's gateway did not start\n${errors}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    port,
    // As the scorecard's system file sets it: two retries that honour Retry-After, a limit of 30 s, one fallback.
    headers: (first, second, secondModel) => ({
      Authorization: 'Bearer none',
      'x-portkey-config': JSON.stringify({
        strategy: { mode: 'fallback' },
        request_timeout: 30_000 * scale,
        targets: [
          {
            provider: 'openai',
            api_key: 'first',
            custom_host: `http://127.0.0.1:${first.port}/v1`,
            retry: { attempts: 2, on_status_codes: [429, 500, 502, 503, 504], use_retry_after_header: true },
          },
          {
            provider: 'openai',
            api_key: 'second',
            custom_host: `http://127.0.0.1:${second.port}/v1`,
            override_params: { model: secondModel },
          },
        ],
      }),
    }),
    async stop() {
      child.kill('SIGKILL');
    },
  };
}

async function answers(port) {
  try {
    await fetch(`http://127.0.0.1:${port}/`);
    return true;
  } catch {
    return false;
  }
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const sleepUnref = (ms) =>
  new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
