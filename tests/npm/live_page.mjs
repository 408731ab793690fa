// The live page in Chromium: what an operator sees of a breaker that opens and closes under load, by keyboard, on a narrow screen, light
// and dark, with axe, under its own Content-Security-Policy; and what an upstream or client says stays text.
//
//   node live_page.mjs BREAKWATER [--screenshots FOLDER]
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { spawn } from 'node:child_process';

import axe from 'axe-core';
import { chromium } from 'playwright-core';

// Every name that the page may show has its plain words.
const root = new URL('../../', import.meta.url);
const script = fs.readFileSync(new URL('runtime/proxy/live/live.js', root), 'utf8');
for (const [file, pattern] of [['compiler/abi/errors.def', /^ERROR_KIND\((\w+)/gm], ['runtime/engine/retry_denials.def', /^RETRY_DENIAL\(\w+, "(\w+)"/gm]]) {
  const names = [...fs.readFileSync(new URL(file, root), 'utf8').matchAll(pattern)].map((found) => found[1]);
  assert.ok(names.length > 5, file);
  for (const name of names) assert.match(script, new RegExp(`^  ${name}: "`, 'm'), `${file}: ${name} has no meaning in live.js`);
}

const TOKEN = 'a token that only this test knows';
const HOSTILE = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>&amp;"\'';
const executable = process.argv[2];
const screenshots = process.argv[3] === '--screenshots' ? process.argv[4] : null;

// ---- The scene --------------------------------------------------------------------------------------------------------

// A model server that does as it is told: `act` is 'well', 'down' (closes the connection), 'hostile' (an error inside the stream).
class ModelServer {
  act = 'well';
  server = http.createServer((request, response) => {
    request.resume();
    request.on('end', () => {
      if (this.act === 'down') return request.socket.destroy();
      response.writeHead(200, { 'Content-Type': 'application/x-ndjson' });
      const frame = (more) => response.write(JSON.stringify({ model: this.act === 'hostile' ? HOSTILE : 'qwen3:32b', created_at: '2026-01-28T09:45:22Z', ...more }) + '\n');
      if (this.act === 'hostile') {
        response.end(JSON.stringify({ error: HOSTILE }) + '\n');
        return undefined;
      }
      frame({ message: { role: 'assistant', content: 'hello' }, done: false });
      frame({ message: { role: 'assistant', content: '' }, done: true, done_reason: 'stop', prompt_eval_count: 3, eval_count: 1 });
      return response.end();
    });
  });
  async listen() {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = this.server.address().port;
    return this;
  }
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

const ollama = await new ModelServer().listen();
const spare = await new ModelServer().listen();
const policy = `edition 1
gateway {
  listen      = "127.0.0.1:\${env("PORT")}"
  admin       = "127.0.0.1:\${env("ADMIN_PORT")}"
  admin_token = secret("ADMIN_TOKEN")
  workers     = 2
}
upstream ollama {
  url = "http://127.0.0.1:${ollama.port}"
  retry {
    max_retries = 1
    when error == reset
    wait   = exponential(from: 10ms, factor: 1, cap: 10ms)
    budget = 50%
  }
  breaker {
    open when failed_requests(60s) >= 3
    open_for = 6s
    close when successes(30s) >= 2
  }
}
upstream spare {
  url = "http://127.0.0.1:${spare.port}"
  max_in_flight = 4
  queue { length = 8  timeout = 2s }
  breaker {
    open when failures(60s) >= 1000
    open_for = 5s
  }
}
route spare { when request.path == "/api/chat" and request.header["X-To"] == "spare"  to = spare  fallback = [busy] }
route chats { when request.path == "/api/chat"  to = ollama  fallback = [busy] }
route rest  { reply = nope }
reply busy { status = 503  text = "Busy. Try again in a moment."  header["Retry-After"] = "5" }
reply nope { status = 404  body = json { "error": "no such path" } }
`;
const lineOf = (text) => policy.split('\n').findIndex((line) => line.includes(text)) + 1;

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'live-page-'));
fs.writeFileSync(path.join(folder, 'live.policy'), policy);
const port = await freePort();
const admin = await freePort();
const base = `http://127.0.0.1:${admin}`;
const log = fs.openSync(path.join(folder, 'log'), 'w');
const gateway = spawn(executable, ['run', path.join(folder, 'live.policy')], {
  env: { ...process.env, PORT: String(port), ADMIN_PORT: String(admin), ADMIN_TOKEN: TOKEN },
  stdio: ['ignore', log, log],
});

async function until(what, condition, seconds = 20) {
  for (const end = Date.now() + seconds * 1000; ; ) {
    const seen = await condition();
    if (seen) return seen;
    assert.equal(gateway.exitCode, null, `the gateway ended\n${fs.readFileSync(path.join(folder, 'log'))}`);
    assert.ok(Date.now() < end, `waited ${seconds} s for ${what}\n${fs.readFileSync(path.join(folder, 'log'))}`.slice(0, 4000));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
const breaker = async (name) => (await fetch(`${base}/health/circuit-breaker/${name}`)).json();

const got = new Map();
let going = true;
async function chat(headers = {}, url = '/api/chat') {
  const answer = await fetch(`http://127.0.0.1:${port}${url}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify({ model: 'qwen3:32b', messages: [{ role: 'user', content: 'hi' }] }),
  });
  await answer.text();
  got.set(answer.status, (got.get(answer.status) || 0) + 1);
}
async function user() {
  while (going) {
    await chat();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

// ---- The page ---------------------------------------------------------------------------------------------------------

let browser;
try {
  await until('the gateway', () => fetch(`${base}/health/ready`).then((answer) => answer.ok, () => false));
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });

  const open = async (options = {}) => {
    const context = await browser.newContext({ locale: 'en-GB', ...options });
    const page = await context.newPage();
    page.problems = [];
    page.looks = 0;
    page.on('pageerror', (error) => page.problems.push(String(error)));
    page.on('console', (message) => message.type() === 'error' && !message.text().includes('401') && page.problems.push(message.text()));
    page.on('request', (request) => {
      if (new URL(request.url()).pathname === '/admin/state') page.looks++;
      if (!request.url().startsWith(base + '/')) page.problems.push('asks elsewhere: ' + request.url());
    });
    await page.goto(base + '/');
    return page;
  };
  const signIn = async (page, token = TOKEN) => {
    await page.getByLabel('Admin token').waitFor();
    await page.keyboard.type(token); // the field has the focus
    await page.keyboard.press('Enter');
  };
  const text = (page, selector) => page.locator(selector).innerText();
  const card = (page, name) => page.locator('article.upstream', { has: page.getByRole('heading', { name, exact: true }) });
  const rowOf = (page, name, term) => card(page, name).locator(`dt:text-is("${term}") + dd`).innerText({ timeout: 5000 });

  // Nobody is let in without the token, and whoever has a wrong one is told so.
  const page = await open({ viewport: { width: 1280, height: 900 } });
  await signIn(page, 'wrong');
  await page.getByText('This token is not the right one.').waitFor();
  assert.equal(await page.locator('#content').isVisible(), false);
  await signIn(page);
  await card(page, 'ollama').waitFor();
  assert.match(await text(page, '#summary'), /All 2 breakers are closed/);
  assert.match(await rowOf(page, 'ollama', 'Opens when'), new RegExp(`^open when failed_requests\\(60s\\) >= 3\\s+\\(live\\.policy:${lineOf('open when failed_requests')}\\)$`));
  assert.equal(await rowOf(page, 'spare', 'Under way'), '0 of 4 places');

  // What the page shows, as it changes.
  const shown = [];
  await page.exposeFunction('note', (state) => shown.push(state));
  await page.evaluate(() => {
    const state = document.querySelector('article.upstream .state');
    new MutationObserver(() => window.note(state.textContent)).observe(state, { childList: true, characterData: true, subtree: true });
  });

  const users = Array.from({ length: 4 }, user);
  await until('answers', () => (got.get(200) || 0) > 4);
  await page.locator('#answers tr', { hasText: 'ollama' }).first().waitFor();
  ollama.act = 'down';
  await until('the page to show the open breaker', async () => (await card(page, 'ollama').innerText()).includes('Breaker open'));
  assert.match(await page.title(), new RegExp(`^ollama open – Breakwater 127\\.0\\.0\\.1:${admin}$`));
  const truth = await breaker('ollama');
  assert.equal(truth.state, 'OPEN');
  assert.equal(await rowOf(page, 'ollama', 'Because of'), 'open when failed_requests(60s) >= 3');
  assert.equal(await rowOf(page, 'ollama', 'Line of the policy'), `live.policy:${lineOf('open when failed_requests')}`);
  assert.equal(await rowOf(page, 'ollama', 'It counted'), 'failed_requests(60s) = 3', 'as the policy spells it');
  assert.equal(await rowOf(page, 'ollama', 'Last error'), 'reset (it closed the connection before it answered)');
  const until_shown = await rowOf(page, 'ollama', 'Tries again');
  const [, clock, left] = until_shown.match(/^(\d\d:\d\d:\d\d), in ([\d.]+) s$/) || assert.fail(until_shown);
  const retry_at = Date.parse(truth.retry_at);
  assert.ok(Math.abs(retry_at - Date.now() - left * 1000) < 2500, `${until_shown}, and it is ${truth.retry_at}`);
  assert.ok([-1000, 0, 1000].some((off) => new Date(retry_at + off).toLocaleTimeString('en-GB', { hour12: false }) === clock), `${clock} and ${truth.retry_at}`);
  assert.equal(await rowOf(page, 'ollama', 'Meanwhile users get'), `route chats: reply busy (status 503): “Busy. Try again in a moment.” (live.policy:${lineOf('route chats')}: fallback = [busy])`);
  assert.match(await text(page, '#summary'), /^The breaker of ollama is open since \d\d:\d\d:\d\d: open when failed_requests\(60s\) >= 3; the last error was reset \(it closed the connection before it answered\); the next try is at \d\d:\d\d:\d\d, in [\d.]+ m?s\./);
  await until('the summary to say how many got something else', async () => /Users: \d+ of \d+ \(\d+%\) got something else than an upstream's answer; /.test(await text(page, '#summary')));
  assert.match(await rowOf(page, 'ollama', 'Lately'), /\d+ × reset \(it closed the connection before it answered\).* in the last [\d.]+ m?s$/);
  await until('the summary to say what users get', async () => /\d+ of \d+ requests in the last [\d.]+ m?s got a status of 500 or more/.test(await text(page, '#summary')));
  await page.locator('#answers tr', { hasText: 'busy' }).first().waitFor();
  await page.locator('#troubles li', { hasText: 'breaker_open' }).first().waitFor();
  // Those that the open breaker let not through are one row, and hide none of those that were tried.
  await until('equal rows to be one', async () => /; \d+ more like it since \d\d:\d\d:\d\d$/.test(await page.locator('#troubles li summary', { hasText: 'breaker_open' }).first().innerText()));
  const rows = page.locator('#troubles li summary');
  assert.ok((await rows.filter({ hasText: 'because of breaker_open (the breaker lets nothing through)' }).count()) <= 2, (await rows.allInnerTexts()).join('\n'));
  await rows.filter({ hasText: 'because of reset' }).first().waitFor();
  assert.match(await text(page, '#announce'), /The breaker of ollama is now open/);

  // Requests that did not go well unfold by keyboard, and stay so while the page goes on.
  await page.keyboard.press('Tab');
  const focused = () => page.evaluate(() => document.activeElement.tagName + ' ' + document.activeElement.textContent.slice(0, 40));
  for (let i = 0; i < 12 && !/^SUMMARY \d/.test(await focused()); i++) await page.keyboard.press('Tab');
  assert.match(await focused(), /^SUMMARY \d/); // it begins with its time
  const unfolded = await page.evaluateHandle(() => document.activeElement.closest('details'));
  await page.keyboard.press('Enter');
  assert.equal(await unfolded.evaluate((details) => details.open), true);
  assert.match(await unfolded.evaluate((details) => details.innerText), new RegExp(`live\\.policy:\\d+: \\w+`), 'the line itself stands there');
  const looks = page.looks;
  await until('three more looks', () => page.looks >= looks + 3);
  assert.equal(await unfolded.evaluate((details) => details.isConnected && details.open && document.activeElement.closest('details') === details), true);

  // axe in a context of its own: it is a script that the page's policy forbids.
  const look_with_axe = async (options, name, logs_in = true) => {
    const other = await open({ bypassCSP: true, ...options });
    if (logs_in) {
      await signIn(other);
      await card(other, 'ollama').waitFor();
      if (screenshots) {
        await other.locator('#answers tr').first().waitFor();
        await other.screenshot({ path: path.join(screenshots, `live-page-${name}.png`) });
      }
      await other.locator('#troubles summary').first().click();
    } else {
      await other.getByLabel('Admin token').waitFor();
    }
    await other.evaluate(axe.source);
    const found = await other.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
    assert.ok(found.passes.length > 10, 'axe looked');
    assert.deepEqual(found.violations.map((v) => `${name}: ${v.id}: ${v.nodes.map((n) => n.html + ' ' + n.failureSummary).join('; ')}`), []);
    if (logs_in) { // and with everything unfolded, before an action
      const folded = other.locator('details:not([open]) > summary');
      while ((await folded.count()) > 0) await folded.first().click();
      await other.getByRole('button', { name: 'Drain' }).first().click();
      await other.locator('#confirm[open]').waitFor();
      const asked = await other.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
      assert.deepEqual(asked.violations.map((v) => `${name}, asked: ${v.id}: ${v.nodes.map((n) => n.html + ' ' + n.failureSummary).join('; ')}`), []);
      const wide = await other.evaluate(() => document.getElementById('confirm').getBoundingClientRect().right - window.innerWidth);
      assert.ok(wide <= 0, `${name}: the question is ${wide} px too wide`);
      await other.keyboard.press('Escape');
    }
    const size = await other.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
    assert.ok(size[0] <= size[1], `${name}: ${size[0]} px wide in a window of ${size[1]}`);
    await other.context().close();
  };
  const narrow = { viewport: { width: 360, height: 740 } };
  const wide = { viewport: { width: 1100, height: 900 } };
  await look_with_axe({ ...wide, colorScheme: 'light' }, 'light');
  await look_with_axe({ ...wide, colorScheme: 'dark' }, 'dark');
  await look_with_axe({ ...narrow, colorScheme: 'light' }, 'narrow');
  await look_with_axe({ ...narrow, colorScheme: 'dark' }, 'narrow-dark');
  await look_with_axe(narrow, 'login', false);
  // … and it finds what it is for.
  const flawed = await open({ bypassCSP: true });
  await flawed.evaluate(axe.source);
  await flawed.evaluate(() => document.querySelector('label').remove());
  const found = await flawed.evaluate(() => window.axe.run(document));
  assert.ok(found.violations.some((v) => v.id === 'label'), 'a field without a label is noticed');
  await flawed.context().close();

  // Tries that fail take nothing away of why it opened.
  await until('a try to fail', async () => (await card(page, 'ollama').innerText()).includes('Tried since'));
  assert.match(await rowOf(page, 'ollama', 'Tried since'), /^\d+ (try|tries) failed, the last at \d\d:\d\d:\d\d$/);
  assert.equal(await rowOf(page, 'ollama', 'Because of'), 'open when failed_requests(60s) >= 3');

  // Well again: the page shows how it comes back.
  ollama.act = 'well';
  await until('the page to show the closed breaker', async () => (await card(page, 'ollama').innerText()).includes('Breaker closed'), 40);
  assert.equal((await breaker('ollama')).state, 'CLOSED');
  assert.equal(shown[0], 'Breaker open');
  assert.equal(shown[shown.length - 1], 'Breaker closed');
  assert.equal(await card(page, 'ollama').locator('dt:text-is("Because of")').count(), 0);
  going = false;
  await Promise.all(users);

  // What operators may do, by keyboard alone: nothing without a yes.
  const focus = async (what, steps = 60) => {
    for (let i = 0; i < steps && !(await focused()).includes(what); i++) await page.keyboard.press('Tab');
    assert.ok((await focused()).includes(what), `${what}: ${await focused()}`);
  };
  const asked = page.locator('#confirm[open]');
  const act = async (button, answer) => {
    await focus(button);
    await page.keyboard.press('Enter');
    await asked.waitFor();
    assert.equal(await focused(), 'BUTTON Leave it');
    if (answer === 'Escape' || answer === 'Enter') return page.keyboard.press(answer);
    await page.keyboard.press('Shift+Tab');
    assert.equal(await focused(), 'BUTTON Do it');
    return page.keyboard.press('Enter');
  };
  await page.locator('#main').focus();
  await focus('SUMMARY Act on spare');
  await page.keyboard.press('Enter');
  assert.match(await card(page, 'spare').locator('.actions').innerText(), /Open the breaker for 10 minutes\s+Nothing is sent to spare for ten minutes/, 'what a button does stands beside it');
  for (const no of ['Escape', 'Enter']) {
    await act('Open the breaker', no);
    await asked.waitFor({ state: 'hidden' });
    assert.match(await focused(), /^BUTTON Open the breaker/);
  }
  assert.equal((await breaker('spare')).state, 'CLOSED');
  await act('Open the breaker', 'yes');
  await until('the breaker that was opened by hand', async () => (await card(page, 'spare').innerText()).includes('Breaker open'));
  assert.equal(await rowOf(page, 'spare', 'Because of'), 'by hand');
  assert.deepEqual(await page.locator('article.upstream h3').allInnerTexts(), ['ollama', 'spare'], 'nothing moves under somebody\'s hands');
  assert.match(await rowOf(page, 'spare', 'Tries again'), /in (9|10) min/);
  assert.match(await text(page, '#done'), /^Done at .*: breaker\/spare\/open\?for=10min$/);
  await act('Close the breaker', 'yes');
  await until('the breaker that was closed by hand', async () => (await card(page, 'spare').innerText()).includes('Breaker closed'));
  assert.equal(await card(page, 'spare').getByRole('button', { name: 'Resume' }).isVisible(), false);
  await act('Drain', 'yes');
  await until('the drain to be shown', async () => /spare is drained by an operator/.test(await text(page, '#summary')));
  assert.match(await rowOf(page, 'spare', 'Drained'), /lets nothing new through/);
  assert.equal(await card(page, 'spare').getByRole('button', { name: 'Drain' }).isVisible(), false);
  await act('Resume', 'yes');
  await until('the drain to be over', async () => !/drained/.test(await text(page, '#summary')));
  await act('Read the policy again', 'yes');
  await until('the reload', async () => /: reload$/.test(await text(page, '#done')));
  await page.locator('#main').focus();
  const policy_page = await until('the reload to be over', async () => {
    const seen = await (await fetch(`${base}/admin/policy`, { headers: { Authorization: `Bearer ${TOKEN}` } })).json();
    return seen.reloads.attempts === 1 && seen;
  });
  assert.deepEqual(policy_page.actions.map((one) => one.action), ['breaker/spare/open', 'breaker/spare/close', 'upstream/spare/drain', 'upstream/spare/resume', 'reload']);

  // What others say is text.
  spare.act = 'hostile';
  await chat({ 'X-To': 'spare' });
  await chat({}, `/${encodeURIComponent('<script>window.pwned=1</script>')}`);
  const trouble = page.locator('#troubles li', { hasText: 'stream_error' }).first();
  await trouble.locator('summary').click();
  assert.ok((await trouble.innerText()).includes(HOSTILE), await trouble.innerText());
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  assert.equal(await page.locator('main img, main script, main svg').count(), 0);

  // Its own Content-Security-Policy stops what is written into the page and what goes elsewhere.
  const answer = await fetch(base + '/');
  assert.match(answer.headers.get('content-security-policy'), /^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';/);
  assert.deepEqual(page.problems, []);
  const stopped = await page.evaluate(async (elsewhere) => {
    const seen = [];
    document.addEventListener('securitypolicyviolation', (event) => seen.push(event.effectiveDirective));
    const script = document.createElement('script');
    script.textContent = 'window.pwned = 2';
    document.body.append(script);
    document.body.insertAdjacentHTML('beforeend', '<img src="data:,x" onerror="window.pwned=3"><p style="color:red">x</p>');
    await fetch(elsewhere).catch(() => seen.push('fetch'));
    await new Promise((resolve) => setTimeout(resolve, 200));
    return { seen, pwned: window.pwned };
  }, `http://127.0.0.1:${ollama.port}/`);
  assert.equal(stopped.pwned, undefined);
  for (const directive of ['script-src-elem', 'style-src-attr', 'img-src', 'connect-src']) assert.ok(stopped.seen.includes(directive), `${directive}: ${stopped.seen}`);

  // Nobody looks: nothing is asked for. Somebody looks again: it is.
  const hidden = await open();
  await signIn(hidden);
  await card(hidden, 'ollama').waitFor();
  const set_visible = (state) => hidden.evaluate((value) => {
    Object.defineProperty(document, 'visibilityState', { value, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  }, state);
  await set_visible('hidden');
  await new Promise((resolve) => setTimeout(resolve, 300)); // what was under way
  const before = hidden.looks;
  const visible_before = page.looks;
  await until('the page that is looked at to go on', () => page.looks >= visible_before + 3);
  assert.equal(hidden.looks, before);
  await set_visible('visible');
  await set_visible('visible');
  await until('the page to go on', () => hidden.looks >= before + 2);
  const from = hidden.looks;
  const began = Date.now();
  await until('more looks', () => hidden.looks >= from + 3);
  assert.ok(Date.now() - began > 1800, 'once a second, however often it is shown');
  console.log(`passed; the page showed: ${shown.join(', ')}; clients got ${[...got].map(([status, count]) => `${count} × ${status}`).join(', ')}`);
} finally {
  going = false;
  await browser?.close();
  if (gateway.exitCode === null) {
    gateway.kill();
    await once(gateway, 'exit');
  }
  ollama.server.close();
  spare.server.close();
  fs.rmSync(folder, { recursive: true });
}
process.exit(0);
