// The live page: asks /admin/state once a second while somebody looks, shows it, and carries out what operators may do, once they have said yes. What comes from upstreams and clients is text and
// stays text: nothing here writes HTML. What is shown is changed in place, so that focus and what is unfolded stay where they are.
"use strict";

const EVERY_MS = 1000;
const WINDOW_MS = 60000; // of "what users get"

const byId = (id) => document.getElementById(id);
function make(name, className, ...content) {
  const element = document.createElement(name);
  if (className) element.className = className;
  element.append(...content);
  return element;
}
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
function show(element, is_shown) {
  if (element.hidden === is_shown) element.hidden = !is_shown;
}

// ---- Words ------------------------------------------------------------------------------------------------------------

// In the zone that the head of the page names; with its date where that is another day.
function clock(time) {
  const at = new Date(time);
  const text = at.toLocaleTimeString(undefined, { hour12: false });
  return at.toDateString() === new Date().toDateString() ? text : at.toLocaleDateString() + " " + text;
}
const zone = (time) => (new Intl.DateTimeFormat(undefined, { timeZoneName: "short" }).formatToParts(new Date(time)).find((part) => part.type === "timeZoneName") || { value: "" }).value;
function span(ms) {
  if (ms < 10) return Number(ms.toPrecision(2)) + " ms";
  if (ms < 1000) return Math.round(ms) + " ms";
  if (ms < 10000) return (ms / 1000).toFixed(1) + " s";
  if (ms < 120000) return Math.round(ms / 1000) + " s";
  return Math.floor(ms / 60000) + " min " + Math.round((ms % 60000) / 1000) + " s";
}
const STATES = {
  CLOSED: ["closed", "good", "requests go through"],
  OPEN: ["open", "bad", "nothing is sent there"],
  HALF_OPEN: ["half-open", "wait", "single requests try whether it is well again"],
  RESTING: ["resting", "wait", "it asked to be left alone"],
};
const stateName = (state) => (STATES[state] || [state])[0];
// Names of outcomes, refusals and denials in plain words (errors.def, retry_denials.def, refusals.def).
const MEANINGS = {
  connect_failure: "no connection could be made",
  refused: "nothing listens at its address",
  dns_failure: "its host name has no address",
  connect_timeout: "no connection in time",
  tls_failure: "the TLS handshake failed",
  reset: "it closed the connection before it answered",
  first_token_timeout: "no content in time",
  idle_timeout: "its answer stood still",
  attempt_timeout: "it took longer than it may",
  truncated: "its answer broke off",
  bad_response: "what it sent is no answer of this API",
  stream_error: "it reported an error inside its answer",
  unfinished: "its answer gave no reason for its end",
  queue_full: "too many requests wait already",
  queue_timeout: "no place became free in time",
  breaker_open: "the breaker lets nothing through",
  client_timeout: "the client kept it waiting",
  exhausted: "the gateway itself is out of descriptors or memory",
  cancelled: "the client left, or it was not needed any more",
  committed: "part of the answer is with the client already",
  not_matched: "the policy does not retry this",
  attempts_exhausted: "all retries were made",
  body_too_large: "the request is too large to be sent again",
  not_repeat_safe: "to send it again might do it twice",
  budget_spent: "the retry budget is empty",
  x_should_retry: "the answer said that another try is in vain",
  retry_after: "it asked for a longer wait than the policy allows",
  deadline: "the request's deadline came",
  no_route: "no route of the policy takes it",
};
const STATUSES = { 429: "too many requests", 500: "it failed", 502: "bad gateway", 503: "it is not available", 504: "it got no answer in time", 529: "it is overloaded" };
const meaningOf = (name) => [MEANINGS, STATUSES].filter((table) => Object.hasOwn(table, name)).map((table) => table[name])[0] || "";
// "500" of an attempt and "status_500" of a fallback are the same.
function explained(given) {
  const name = given.replace(/^status_(?=[0-9]{3}$)/, "");
  const shown = (/^[0-9]{3}$/.test(name) ? "status " : "") + name;
  return meaningOf(name) ? shown + " (" + meaningOf(name) + ")" : shown;
}
function plural(number, one, many) {
  return number + " " + (number === 1 ? one : many);
}

// ---- Lists that are changed in place ----------------------------------------------------------------------------------

// Rows of a description list: [term, text, className] each; nothing: the row is left out.
class Rows {
  constructor() {
    this.list = make("dl");
    this.rows = new Map();
  }
  set(rows) {
    const wanted = rows.filter((row) => row && row[1] !== undefined && row[1] !== null && row[1] !== "");
    const names = new Set(wanted.map((row) => row[0]));
    for (const [name, row] of this.rows) {
      if (names.has(name)) continue;
      row.term.remove();
      row.value.remove();
      this.rows.delete(name);
    }
    let before = null;
    for (const [name, text, className] of wanted) {
      let row = this.rows.get(name);
      if (!row) {
        row = { term: make("dt", "", name), value: make("dd") };
        this.rows.set(name, row);
      }
      if (text instanceof Element) {
        if (row.value.firstChild !== text) row.value.replaceChildren(text);
      } else {
        say(row.value, text);
      }
      if (row.value.className !== (className || "")) row.value.className = className || "";
      const place = before ? before.nextSibling : this.list.firstChild;
      if (place !== row.term) this.list.insertBefore(row.term, place);
      if (row.term.nextSibling !== row.value) this.list.insertBefore(row.value, row.term.nextSibling);
      before = row.value;
    }
  }
}

// Children of `parent` by key, in this order.
function keep(parent, known, items, keyOf, create, update) {
  const keys = new Set(items.map(keyOf));
  for (const [key, child] of known) {
    if (keys.has(key)) continue;
    child.root.remove();
    known.delete(key);
  }
  let before = null;
  for (const item of items) {
    const key = keyOf(item);
    if (!known.has(key)) known.set(key, create(item));
    const child = known.get(key);
    update(child, item);
    const place = before ? before.nextSibling : parent.firstChild;
    if (place !== child.root) parent.insertBefore(child.root, place);
    before = child.root;
  }
}

// ---- Upstreams --------------------------------------------------------------------------------------------------------

function newCard(upstream) {
  const card = { root: make("article", "upstream"), title: make("h3", "", upstream.name), state: make("span", "state"), words: make("span") };
  card.rows = new Rows();
  card.meter = make("meter");
  card.root.append(card.title, make("p", "", card.state, card.words), card.rows.list, actionsOf(card, upstream));
  return card;
}

// "refused", "500: model runner has stopped": a name, and what the upstream said.
function errorText(error) {
  if (!error) return error;
  const [, name, said] = /^([a-z0-9_]+)(?:: (.*))?$/s.exec(error) || [];
  return name ? explained(name) + (said ? ": " + said : "") : error;
}

// What a rule counted, spelt as the line of the policy spells it: 60s stays 60s, and a share is a percentage where the line has one.
const UNITS = { ms: 1, s: 1000, min: 60000, h: 3600000, d: 86400000 };
function inMs(text) {
  const parts = [...text.matchAll(/([0-9]+)(ms|s|min|h|d)/g)];
  return parts.map((part) => part[0]).join("") === text ? parts.reduce((sum, [, number, unit]) => sum + number * UNITS[unit], 0) : NaN;
}
function countsText(counts, line) {
  const written = [...(line || "").matchAll(/([a-z_]+)\(\s*([0-9a-z]+)\s*\)/g)];
  return Object.entries(counts).map(([name, value]) => {
    const [, kind, window] = /^([a-z_]+)\(([0-9a-z]+)\)$/.exec(name) || [];
    const same = kind && written.find((one) => one[1] === kind && inMs(one[2]) === inMs(window));
    const is_share = typeof value === "number" && /ratio/.test(name) && /[0-9]%/.test(line || "");
    const shown = is_share ? Number((value * 100).toFixed(1)) + "%" : typeof value === "number" ? String(Number(value.toPrecision(6))) : value;
    return (same ? same[0] : name) + " = " + shown;
  }).join(", ");
}
const placeText = (one) => (one.place ? "  (" + one.place + (one.line ? ": " + one.line : "") + ")" : "");

function stepText(step, upstreams) {
  if (step.kind === "upstream") {
    const other = upstreams.find((upstream) => upstream.name === step.name);
    const state = other && other.breaker ? ", breaker " + stateName(other.breaker.state) : "";
    return "upstream " + step.name + state;
  }
  if (step.kind === "error") return "an error of the gateway's own";
  const text = step.text ? ": “" + step.text + "”" : step.text_is_of_request ? ", made of what they asked" : "";
  const what = step.kind === "cache" ? "what cache " + step.name + " has kept" : step.kind + " " + step.name;
  return what + (step.status ? " (status " + step.status + ")" : "") + text;
}

function insteadText(upstream, upstreams) {
  const lines = upstream.instead.map((way) => "route " + way.route + ": " + way.then.map((step) => stepText(step, upstreams)).join(", else ") + placeText(way));
  return lines.join("; ");
}

function updateCard(card, upstream, state) {
  const breaker = upstream.breaker;
  for (const { action, root } of card.actions) show(root, !action.shown || Boolean(action.shown(upstream)));
  if (!breaker) {
    say(card.state, "No breaker");
    card.state.className = "note";
    say(card.words, "");
    card.rows.set([...recentRows(upstream, state), ...loadRows(upstream)]);
    return;
  }
  const [name, className, meaning] = STATES[breaker.state] || [breaker.state, "", ""];
  say(card.state, "Breaker " + name);
  card.state.className = "state " + className;
  say(card.words, ": " + meaning);
  const is_away = breaker.state === "OPEN" || breaker.state === "RESTING";
  const opening = breaker.state === "CLOSED" ? null : breaker.opening;
  const left = breaker.retry_at ? Date.parse(breaker.retry_at) - Date.parse(state.now) : 0;
  let until = null;
  if (is_away && breaker.retry_at) {
    until = left > 0 ? clock(breaker.retry_at) + ", in " + span(left) : "now: the next request tries";
  } else if (breaker.state === "HALF_OPEN") {
    until = "now: " + plural(breaker.probes_in_flight, "request tries", "requests try") + ", at most " + breaker.probes + " at a time";
  }
  const rows = [];
  if (opening) {
    rows.push(
      [opening.state === "RESTING" ? "Rests since" : "Opened at", clock(opening.at) + " " + zone(opening.at)],
      ["Because of", opening.line || opening.rule, "code"],
      ["Line of the policy", opening.place, "code"],
      ["It counted", countsText(opening.counts, opening.line || opening.rule), "code"],
      ["Tried since", opening.probes_failed ? plural(opening.probes_failed, "try failed", "tries failed") + ", the last at " + clock(opening.last_probe) : null, "bad"],
      ["Last error", errorText(opening.last_error) || "none: " + opening.rule, "bad"],
      ["By request", opening.request_id, "code"],
    );
  }
  rows.push(["Tries again", until, "wait"]);
  rows.push(["Meanwhile users get", breaker.state === "CLOSED" ? null : insteadText(upstream, state.upstreams)]);
  if (breaker.state === "CLOSED") {
    rows.push(["Failures now", failures(card, upstream)]);
    rows.push(["Opens when", breaker.rules.map((rule) => (rule.line || rule.rule) + (rule.place ? "  (" + rule.place + ")" : "")).join("; "), "code"]);
  }
  rows.push(...recentRows(upstream, state));
  rows.push(["Last failure", breaker.last_failure_time ? clock(breaker.last_failure_time) : null]);
  rows.push(["Answered well", breaker.success_count + (breaker.state === "HALF_OPEN" ? " of the tries" : windowOf(breaker))]);
  rows.push(...loadRows(upstream));
  card.rows.set(rows);
}

// The window that the counts of a breaker are of: that of its first rule.
function windowOf(breaker) {
  const [, window] = /\(\s*([0-9a-z]+)\s*\)/.exec(breaker.rules.length > 0 ? breaker.rules[0].line || breaker.rules[0].rule : "") || [];
  return window ? " in the last " + window : "";
}

// With a bar where one number tells how far it is to the opening.
function failures(card, upstream) {
  const breaker = upstream.breaker;
  if (!breaker.threshold) return breaker.failure_count + windowOf(breaker);
  const text = breaker.failure_count + " of " + breaker.threshold + windowOf(breaker);
  if (!card.failures) {
    card.failuresText = make("span");
    card.failures = make("div", "", card.failuresText, " ", card.meter);
  }
  say(card.failuresText, text);
  card.meter.max = breaker.threshold;
  card.meter.value = Math.min(breaker.failure_count, breaker.threshold);
  card.meter.setAttribute("aria-label", "Failures of " + upstream.name + ": " + text);
  return card.failures;
}

// What came of the requests for an upstream while this page looked, the last minute at most.
function recentOf(upstream) {
  const before = looks[0] && looks[0].upstreams.get(upstream.name);
  const outcomes = Object.entries(upstream.outcomes || {})
    .map(([outcome, count]) => [outcome, count - ((before && before.outcomes[outcome]) || 0)])
    .filter(([, count]) => count > 0)
    .sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
  const first = { count: 0, ms: 0, ...upstream.first_token };
  return {
    outcomes,
    all: outcomes.reduce((sum, [, count]) => sum + count, 0),
    bad: outcomes.filter(([outcome]) => !/^[1234]/.test(outcome) && outcome !== "cancelled"),
    answers: first.count - (before ? before.first.count : 0),
    waited: first.ms - (before ? before.first.ms : 0),
  };
}
const outcomesText = (outcomes) => outcomes.map(([outcome, count]) => count + " × " + explained(outcome)).join(", ");
const sinceText = (state) => "in the last " + span(Date.parse(state.now) - looks[0].at);

function recentRows(upstream, state) {
  const recent = recentOf(upstream);
  return [
    ["Drained", upstream.is_drained ? "An operator lets nothing new through to it, whatever the breaker says" : null, "bad"],
    ["Lately", recent.outcomes.length > 0 ? outcomesText(recent.outcomes) + " " + sinceText(state) : null, recent.bad.length > 0 ? "bad" : ""],
    ["First content", recent.answers > 0 ? "after " + span(recent.waited / recent.answers) + " on average " + sinceText(state) : null],
  ];
}

function loadRows(upstream) {
  const budget = upstream.budget;
  return [
    ["Address", upstream.address, "code"],
    ["Under way", upstream.in_flight + (upstream.places ? " of " + upstream.places + " places" : "")],
    ["Waiting", upstream.places ? upstream.waiting + (upstream.queue ? " of " + upstream.queue : "") : null],
    ["Retry budget", budget ? plural(Math.floor(budget.left), "retry", "retries") + " left" : null, budget && budget.left < 1 ? "bad" : ""],
  ];
}

// ---- What users get ---------------------------------------------------------------------------------------------------

// The gateway tells sums; what came in the last minute is what this page saw grow.
const looks = []; // {at, sums, upstreams}
const answerRows = new Map();

function remember(state) {
  const at = Date.parse(state.now);
  const sums = new Map(state.answers.map((answer) => [JSON.stringify([answer.route, answer.served_by, answer.status]), answer.count]));
  if (looks.length > 0 && [...looks[looks.length - 1].sums].some(([key, count]) => (sums.get(key) || 0) < count)) looks.length = 0; // it was restarted
  const upstreams = new Map(state.upstreams.map((upstream) => [upstream.name, { outcomes: upstream.outcomes || {}, first: upstream.first_token || { count: 0, ms: 0 } }]));
  looks.push({ at, sums, upstreams });
  while (looks.length > 1 && at - looks[1].at >= WINDOW_MS) looks.shift();
}

// Answers of the last minute by route, who gave them, and status; the most first.
function grownAnswers() {
  const first = looks[0];
  return [...looks[looks.length - 1].sums]
    .map(([key, count]) => ({ key, parts: JSON.parse(key), count: count - (first.sums.get(key) || 0) }))
    .filter((answer) => answer.count > 0)
    .sort((a, b) => b.count - a.count || a.key.localeCompare(b.key));
}

function updateAnswers(state) {
  const at = Date.parse(state.now);
  const first = looks[0];
  const grown = grownAnswers();
  say(byId("answers-since"), looks.length > 1 ? "In the last " + span(at - first.at) : "From now on");
  show(byId("no-answers"), grown.length === 0);
  keep(byId("answers"), answerRows, grown, (answer) => answer.key,
    (answer) => {
      const row = { root: make("tr"), count: make("td", "number") };
      const name = make("th", "", answer.parts[0]);
      name.scope = "row";
      row.root.append(name, make("td", "", answer.parts[1]), make("td", Number(answer.parts[2]) >= 500 ? "bad" : "", answer.parts[2]), row.count);
      return row;
    },
    (row, answer) => say(row.count, String(answer.count)));
}

// ---- Requests that did not go well ------------------------------------------------------------------------------------

// Those that went the same way stand together, as the latest of them with their number: a hundred that an open breaker let not through
// hide none of the attempts that opened it.
const MOST_KINDS = 100;
const MOST_KEPT = 1000; // lines of the log; the gateway keeps fewer
const troubleItems = new Map();
let troubles = []; // the latest first
let troubleOrder = []; // of kinds, as shown
const keyOf = (line) => line.time + " " + line.request_id;
const kindOf = (line) => JSON.stringify([line.status, line.method, line.path, line.route, line.served_by, line.fallback_reason, line.decided, line.how,
  (line.attempts || []).map((attempt) => [attempt.upstream, attempt.status, attempt.error, attempt.detail, attempt.retry_denied])]);
const isLookedAt = (kind) => {
  const item = troubleItems.get(kind);
  return item && (item.details.open || item.root.contains(document.activeElement));
};

const ENDS = {
  complete: "all of an upstream's answer",
  continued: "all of an answer that another upstream finished",
  unfinished: "all that there was of an answer whose server gave no reason for its end",
  cut: "a part of an answer, and could see that it is not whole",
  client_gone: "what came until it left",
  own: "no upstream's answer, but one of the gateway's own",
};
function attemptText(attempt) {
  const what = attempt.error ? (attempt.status ? "status " + attempt.status + ", then " : "") + explained(attempt.error) : explained(String(attempt.status));
  const next = attempt.retry_ms !== undefined ? "; tried again after " + span(attempt.retry_ms)
    : attempt.retry_denied ? "; no retry: " + explained(attempt.retry_denied) : "";
  return what + (attempt.detail ? " (" + attempt.detail + ")" : "") + " after " + span(attempt.ms) + next;
}

// Why a status that looks well stands among those that did not go well.
function butText(line) {
  if (line.status >= 400) return "";
  if (line.how === "cut") return " but cut off";
  if (line.fallback) return " but not the answer of an upstream";
  return (line.attempts || []).length > 1 ? " but not at the first attempt" : "";
}

function newTrouble() {
  const item = { root: make("li"), details: make("details"), time: make("span"), status: make("strong"), rest: make("span"), rows: new Rows() };
  item.details.append(make("summary", "", item.time, " ", item.status, item.rest), item.rows.list);
  item.root.append(item.details);
  return item;
}

// `group`: {kind, lines}, the latest first. What is unfolded stays as it is.
function updateTrouble(item, group, state) {
  const [line] = group.lines;
  const more = group.lines.length - 1;
  say(item.time, clock(line.time));
  say(item.status, String(line.status));
  item.status.className = line.status >= 500 || line.how === "cut" ? "bad" : line.status < 400 ? "wait" : "";
  say(item.rest, butText(line) + " " + line.method + " " + line.path + ", by " + line.served_by + (line.fallback_reason ? ", because of " + explained(line.fallback_reason) : "") +
    (more > 0 ? "; " + more + " more like it since " + clock(group.lines[more].time) : ""));
  if (item.shown === keyOf(line) || (item.shown && isLookedAt(group.kind))) return;
  item.shown = keyOf(line);
  const decided = line.decided && Object.hasOwn(state.lines || {}, line.decided) ? line.decided + ": " + state.lines[line.decided] : line.decided;
  item.rows.set([
    ["Route", line.route],
    ["It took", span(line.duration_ms)],
    ...(line.attempts || []).map((attempt, index) => ["Attempt " + (index + 1) + " at " + attempt.upstream, attemptText(attempt)]),
    ["Decided by", decided, "code"],
    ["The client got", ENDS[line.how] || line.how],
    ["Model", line.model_answered || line.model],
    ["Client", line.client],
    ["Request id", line.request_id, "code"],
  ]);
}

function updateTroubles(state) {
  const known = new Set(troubles.map(keyOf));
  troubles = state.troubles.filter((line) => !known.has(keyOf(line))).concat(troubles);
  troubles.sort((a, b) => (a.time < b.time ? 1 : a.time > b.time ? -1 : 0));
  troubles.length = Math.min(troubles.length, MOST_KEPT);
  const groups = new Map();
  for (const line of troubles) {
    const kind = kindOf(line);
    if (!groups.has(kind)) groups.set(kind, { kind, lines: [] });
    groups.get(kind).lines.push(line);
  }
  const shown = [...groups.values()].filter((group, index) => index < MOST_KINDS || isLookedAt(group.kind));
  // Nothing moves under somebody's hands: what is new comes on top.
  if (byId("troubles").contains(document.activeElement) || byId("troubles").matches(":hover")) {
    shown.sort((a, b) => troubleOrder.indexOf(a.kind) - troubleOrder.indexOf(b.kind));
  }
  troubleOrder = shown.map((group) => group.kind);
  show(byId("no-troubles"), shown.length === 0);
  keep(byId("troubles"), troubleItems, shown, (group) => group.kind, newTrouble, (item, group) => updateTrouble(item, group, state));
}

// ---- What operators may do ---------------------------------------------------------------------------------------------

// Each is asked about before it is done. `path` is what stands behind /admin/ (docs/operations.md, "Acting on a running gateway").
const ACTIONS = [
  { label: "Open the breaker for 10 minutes", path: (name) => "breaker/" + name + "/open?for=10min", needs: "breaker",
    means: (name) => "Nothing is sent to " + name + " for ten minutes; users get what stands under “Meanwhile users get”." },
  { label: "Close the breaker", path: (name) => "breaker/" + name + "/close", needs: "breaker",
    means: (name) => "Requests go to " + name + " again at once, all of them. Its rules may open the breaker again." },
  { label: "Drain", path: (name) => "upstream/" + name + "/drain", shown: (upstream) => !upstream.is_drained,
    means: (name) => "Nothing new is sent to " + name + "; what is under way there ends by itself." },
  { label: "Resume", path: (name) => "upstream/" + name + "/resume", shown: (upstream) => upstream.is_drained,
    means: (name) => name + " gets requests again." },
];

let meansMade = 0;
function actionsOf(card, upstream) {
  const box = make("details", "actions", make("summary", "", "Act on " + upstream.name));
  card.actions = ACTIONS.filter((action) => !action.needs || upstream[action.needs]).map((action) => {
    const button = make("button", "", action.label);
    button.type = "button";
    const means = make("p", "note", action.means(upstream.name));
    means.id = "means-" + ++meansMade;
    button.setAttribute("aria-describedby", means.id);
    button.addEventListener("click", () => askFirst(action.label + ": " + upstream.name, action.means(upstream.name), action.path(encodeURIComponent(upstream.name))));
    const root = make("div", "", button, means);
    box.append(root);
    return { action, root };
  });
  return box;
}

let pending = null; // the path of the action that is asked about

function askFirst(title, meaning, path) {
  pending = path;
  say(byId("confirm-title"), title);
  say(byId("confirm-means"), meaning);
  byId("confirm").showModal();
  byId("confirm-no").focus();
}

async function act(path) {
  let text;
  try {
    const answer = await fetch("admin/" + path, { method: "POST", headers: { Authorization: "Bearer " + sessionStorage.getItem("token"), "Content-Type": "application/json" } });
    const said = await answer.json();
    text = answer.ok ? "Done at " + clock(Date.now()) + ": " + path : "Refused: " + (said.error || "status " + answer.status);
    byId("done").className = answer.ok ? "good" : "bad";
  } catch (error) {
    text = "The gateway does not answer (" + error.message + ").";
    byId("done").className = "bad";
  }
  say(byId("done"), text);
  show(byId("done"), true);
  look();
}

byId("confirm").addEventListener("close", () => {
  const path = pending;
  pending = null;
  if (byId("confirm").returnValue === "yes" && path) act(path);
  byId("confirm").returnValue = "";
});
for (const answer of ["yes", "no"]) byId("confirm-" + answer).addEventListener("click", () => byId("confirm").close(answer));
byId("reload-policy").addEventListener("click", () => askFirst("Read the policy again", byId("reload-means").textContent, "reload"));

// ---- The whole page ---------------------------------------------------------------------------------------------------

const cards = new Map();
const statesBefore = new Map();

// What is wrong, since when, and when it is tried again.
function awayText(upstream, state) {
  const { breaker } = upstream;
  const { opening } = breaker;
  let text = "The breaker of " + upstream.name + " is " + stateName(breaker.state);
  if (opening) {
    text += " since " + clock(opening.at) + ": " + (opening.line || opening.rule);
    if (opening.last_error) text += "; the last error was " + errorText(opening.last_error);
  }
  const left = breaker.retry_at ? Date.parse(breaker.retry_at) - Date.parse(state.now) : 0;
  if (breaker.state === "HALF_OPEN") text += "; single requests try it now";
  else if (breaker.retry_at) text += "; the next try is " + (left > 0 ? "at " + clock(breaker.retry_at) + ", in " + span(left) : "the next request");
  return text + ".";
}

// How many users got something else than an upstream's answer, of those whose route asks one.
function usersText(state) {
  const routes = new Set();
  const instead = new Set(["gateway"]);
  for (const upstream of state.upstreams) {
    for (const way of upstream.instead) {
      routes.add(way.route);
      for (const step of way.then) if (step.kind === "reply" || step.kind === "mock") instead.add(step.name);
    }
  }
  const grown = grownAnswers();
  const sum = (answers) => answers.reduce((total, answer) => total + answer.count, 0);
  const asked = grown.filter((answer) => routes.has(answer.parts[0]));
  const other = sum(asked.filter((answer) => instead.has(answer.parts[1])));
  const failed = sum(grown.filter((answer) => Number(answer.parts[2]) >= 500));
  const said = [];
  if (other > 0) said.push(other + " of " + sum(asked) + " (" + Math.max(1, Math.round((100 * other) / sum(asked))) + "%) got something else than an upstream's answer");
  if (failed > 0) said.push(failed + " of " + plural(sum(grown), "request", "requests") + " " + sinceText(state) + " got a status of 500 or more");
  else if (other > 0) said[0] += " " + sinceText(state);
  return said.length > 0 ? "Users: " + said.join("; ") + "." : "";
}

function summaryOf(state) {
  const with_breaker = state.upstreams.filter((upstream) => upstream.breaker);
  const away = with_breaker.filter((upstream) => upstream.breaker.state !== "CLOSED");
  const parts = [];
  if (state.is_draining) parts.push("The gateway is stopping.");
  if (with_breaker.length === 0) parts.push("No upstream has a breaker.");
  else if (away.length === 0) parts.push(with_breaker.length === 1 ? "The breaker is closed." : "All " + with_breaker.length + " breakers are closed.");
  else parts.push(firstOf(away.map((upstream) => awayText(upstream, state))));
  const troubled = [];
  for (const upstream of state.upstreams) {
    if (upstream.is_drained) troubled.push(upstream.name + " is drained by an operator.");
    if (upstream.breaker && upstream.breaker.state !== "CLOSED") continue;
    if (upstream.places && upstream.waiting > 0) troubled.push(upstream.name + " is full: " + upstream.in_flight + " of " + upstream.places + " places, " + plural(upstream.waiting, "request waits", "requests wait") + ".");
    const recent = recentOf(upstream);
    const bad = recent.bad.reduce((sum, [, count]) => sum + count, 0);
    if (bad > 0 && bad >= recent.all / 10) troubled.push(bad + " of " + recent.all + " times " + upstream.name + " gave no good answer: " + outcomesText(recent.bad) + ".");
  }
  parts.push(firstOf(troubled));
  parts.push(usersText(state));
  parts.push(plural(state.requests_in_flight, "request", "requests") + " under way, " + plural(state.connections, "connection", "connections") + ".");
  if (state.log_lines_lost > 0) parts.push(plural(state.log_lines_lost, "line", "lines") + " of the log lost.");
  return parts.filter((part) => part !== "").join(" ");
}

const MOST_NAMED = 5;
function firstOf(sentences) {
  const rest = sentences.length - MOST_NAMED;
  return sentences.slice(0, MOST_NAMED).join(" ") + (rest > 0 ? " And " + rest + " more." : "");
}

// Those in trouble first; the others as the policy has them. Nothing moves under somebody's hands.
function troubleOf(upstream) {
  const state = upstream.breaker ? upstream.breaker.state : "CLOSED";
  if (state === "OPEN") return 0;
  if (state !== "CLOSED") return 1;
  return upstream.is_drained || (upstream.places && upstream.waiting > 0) || recentOf(upstream).bad.length > 0 ? 2 : 3;
}
let order = []; // of names, as shown
function inOrder(upstreams) {
  const is_still = byId("upstreams").contains(document.activeElement) || byId("upstreams").matches(":hover");
  const place = (upstream) => (order.includes(upstream.name) ? order.indexOf(upstream.name) : order.length);
  const sorted = [...upstreams].sort(is_still ? (a, b) => place(a) - place(b) : (a, b) => troubleOf(a) - troubleOf(b));
  order = sorted.map((upstream) => upstream.name);
  return sorted;
}

function announce(state) {
  const said = [];
  for (const upstream of state.upstreams) {
    if (!upstream.breaker) continue;
    const before = statesBefore.get(upstream.name);
    if (before && before !== upstream.breaker.state) said.push("The breaker of " + upstream.name + " is now " + stateName(upstream.breaker.state));
    statesBefore.set(upstream.name, upstream.breaker.state);
  }
  if (said.length > 0) say(byId("announce"), said.join(". "));
}

function update(state) {
  remember(state);
  say(byId("summary"), summaryOf(state));
  byId("summary").className = state.upstreams.some((upstream) => upstream.breaker && upstream.breaker.state === "OPEN") ? "bad" : "";
  const policy = state.policy;
  const open = state.upstreams.filter((upstream) => upstream.breaker && upstream.breaker.state === "OPEN").map((upstream) => upstream.name);
  const title = (open.length > 0 ? open.slice(0, MOST_NAMED).join(", ") + " open – " : "") + "Breakwater " + location.host;
  if (document.title !== title) document.title = title;
  say(byId("policy"), "As of " + new Date(state.now).toLocaleTimeString(undefined, { hour12: false, timeZoneName: "short" }) + " (as all times here; the log has UTC). Policy " + policy.file + " (" + policy.hash + "), in force since " +
    new Date(policy.since).toLocaleString(undefined, { hour12: false }) + " " + zone(policy.since) + ", version " + state.version + ".");
  show(byId("reload"), policy.refused !== undefined);
  if (policy.refused !== undefined) say(byId("reload"), "The reload at " + clock(policy.refused.time) + " was refused, the policy above goes on: " + policy.refused.reason);
  keep(byId("upstreams"), cards, inOrder(state.upstreams), (upstream) => upstream.name, newCard, (card, upstream) => updateCard(card, upstream, state));
  updateAnswers(state);
  updateTroubles(state);
  announce(state);
}

// ---- Asking -----------------------------------------------------------------------------------------------------------

let timer = 0;
let is_asking = false;

function askForToken(why) {
  sessionStorage.removeItem("token");
  say(byId("summary"), "Whoever looks needs the admin token.");
  say(byId("login-why"), why);
  show(byId("content"), false);
  if (byId("login").hidden) {
    show(byId("login"), true);
    byId("token").focus();
  }
}

async function ask() {
  const token = sessionStorage.getItem("token");
  const answer = await fetch("admin/state", { headers: token ? { Authorization: "Bearer " + token } : {}, cache: "no-store" });
  if (answer.status === 401) {
    askForToken(token ? "This token is not the right one." : "");
    return false;
  }
  const state = await answer.json();
  if (!answer.ok) throw new Error(state.error || "status " + answer.status);
  if (byId("content").hidden) {
    show(byId("login"), false);
    show(byId("content"), true);
  }
  update(state);
  return true;
}

async function look() {
  clearTimeout(timer);
  if (is_asking || document.visibilityState !== "visible") return;
  is_asking = true;
  let goes_on = true;
  try {
    goes_on = await ask();
  } catch (error) {
    say(byId("summary"), "The gateway does not answer (" + error.message + "). What stands below is old.");
    byId("summary").className = "bad";
  }
  is_asking = false;
  if (goes_on) timer = setTimeout(look, EVERY_MS);
}

byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", byId("token").value);
  byId("token").value = "";
  look();
});
document.addEventListener("visibilitychange", look);
look();
