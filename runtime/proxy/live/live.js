// The live page: asks /admin/state once a second while somebody looks, and shows it. What comes from upstreams and clients is text
// and stays text: nothing here writes HTML.
"use strict";

const byId = (id) => document.getElementById(id);
const make = (name, text, className) => {
  const element = document.createElement(name);
  if (text !== undefined && text !== null) element.textContent = text;
  if (className) element.className = className;
  return element;
};
const seconds = (ms) => (ms >= 10000 ? Math.round(ms / 1000) : Math.round(ms / 100) / 10) + " s";
const clock = (time) => new Date(time).toLocaleTimeString();

let policyHash = "";
let states = new Map();

function placeLink(place) {
  const link = make("a", place);
  const line = place.slice(place.lastIndexOf(":") + 1);
  link.href = "#L" + line;
  link.addEventListener("click", () => {
    for (const marked of document.querySelectorAll("#text .decided")) marked.classList.remove("decided");
    byId("L" + line)?.classList.add("decided");
  });
  return link;
}

function row(list, name, ...content) {
  list.append(make("dt", name));
  const value = make("dd");
  for (const part of content) value.append(part);
  list.append(value);
}

function upstreamCard(upstream, now) {
  const card = make("article", undefined, "upstream");
  card.append(make("h3", upstream.name));
  const list = make("dl");
  const breaker = upstream.breaker;
  if (breaker) {
    const state = make("p", undefined);
    state.append("Breaker ", make("span", breaker.state, "state " + breaker.state));
    if (breaker.retry_at && breaker.state === "OPEN") {
      const left = Date.parse(breaker.retry_at) - Date.parse(now);
      state.append(left > 0 ? ", asks again at " + clock(breaker.retry_at) + " (in " + seconds(left) + ")" : ", asks again with the next request");
    }
    card.append(state);
    if (breaker.why) {
      row(list, "Opened at", clock(breaker.why.at));
      row(list, "By the rule", make("code", breaker.why.rule));
      if (breaker.why.place) row(list, "It stands in", placeLink(breaker.why.place));
      row(list, "It counted", breaker.why.counts);
      row(list, "Last error", breaker.why.last_error || "none");
    }
    row(list, "Failures in the window", String(breaker.failure_count));
    row(list, "Successes", String(breaker.success_count));
    if (breaker.threshold) {
      const meter = make("meter", breaker.failure_count + " of " + breaker.threshold);
      meter.min = 0;
      meter.max = breaker.threshold;
      meter.value = Math.min(breaker.failure_count, breaker.threshold);
      meter.setAttribute("aria-label", "Failures of " + upstream.name + ": " + breaker.failure_count + " of " + breaker.threshold);
      row(list, "To opening", meter);
    }
  } else {
    card.append(make("p", "No breaker.", "note"));
  }
  row(list, "Under way", upstream.in_flight + (upstream.places ? " of " + upstream.places + " places" : ""));
  if (upstream.places) row(list, "Waiting", String(upstream.waiting));
  if (upstream.instead) row(list, "Meanwhile users get", upstream.instead);
  card.append(list);
  return card;
}

function requestItem(request) {
  const item = make("li");
  item.append(make("strong", String(request.status)), " " + request.method + " " + request.path + " ");
  item.append(make("span", clock(request.time) + ", " + seconds(request.duration_ms) + ", answered by " + request.served_by, "note"));
  if (request.fallback_reason) item.append(make("span", ", because of " + request.fallback_reason, "note"));
  if (request.decided) item.append(" decided by ", placeLink(request.decided));
  const attempts = request.attempts || [];
  if (attempts.length > 0) {
    const words = attempts.map((a) => a.upstream + " " + a.number + ": " + (a.error || a.status) + " after " + seconds(a.ms));
    item.append(make("p", words.join("; "), "note"));
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 1000 10");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("aria-hidden", "true");
    const whole = Math.max(request.duration_ms, attempts.reduce((sum, a) => sum + a.ms, 0), 1);
    let from = 0;
    for (const attempt of attempts) {
      const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      rect.setAttribute("x", String((from / whole) * 1000));
      rect.setAttribute("width", String(Math.max((attempt.ms / whole) * 1000, 2)));
      rect.setAttribute("height", "10");
      rect.setAttribute("class", attempt.error || attempt.status >= 500 ? "bad" : "good");
      svg.append(rect);
      from += attempt.ms;
    }
    item.append(svg);
  }
  return item;
}

function announceChanges(upstreams) {
  const said = [];
  for (const upstream of upstreams) {
    if (!upstream.breaker) continue;
    const before = states.get(upstream.name);
    if (before && before !== upstream.breaker.state) said.push("Breaker of " + upstream.name + " is now " + upstream.breaker.state);
    states.set(upstream.name, upstream.breaker.state);
  }
  if (said.length > 0) byId("announce").textContent = said.join(". ");
}

function show(state) {
  byId("policy").textContent = "Policy " + state.policy.file + ", " + state.policy.hash + ", version " + state.version;
  byId("status").textContent = "As of " + clock(state.now) + ". " + state.requests_in_flight + " requests under way, " + state.connections + " connections.";
  const focused = document.activeElement && document.activeElement.getAttribute("href");
  byId("upstreams").replaceChildren(...state.upstreams.map((upstream) => upstreamCard(upstream, state.now)));
  byId("answers").replaceChildren(...state.answers.map((answer) => {
    const line = make("tr");
    const name = make("th", answer.served_by);
    name.scope = "row";
    line.append(name, make("td", String(answer.status)), make("td", String(answer.count)));
    return line;
  }));
  byId("requests").replaceChildren(...state.requests.map(requestItem));
  byId("no-requests").hidden = state.requests.length > 0;
  if (focused && focused.startsWith("#L")) document.querySelector('a[href="' + CSS.escape(focused) + '"]')?.focus();
  announceChanges(state.upstreams);
}

async function showPolicy(headers) {
  const answer = await fetch("policy", { headers });
  if (!answer.ok) return;
  const policy = await answer.json();
  if (typeof policy.text !== "string") return;
  byId("text").replaceChildren(...policy.text.split("\n").map((line, index) => {
    const item = make("li", line === "" ? " " : line);
    item.id = "L" + (index + 1);
    return item;
  }));
}

async function look() {
  const token = sessionStorage.getItem("token");
  const headers = token ? { Authorization: "Bearer " + token } : {};
  try {
    const answer = await fetch("state", { headers, cache: "no-store" });
    if (answer.status === 401 || answer.status === 403) {
      byId("login").hidden = false;
      byId("status").textContent = token ? "This token is not the right one." : "The admin token is needed.";
      sessionStorage.removeItem("token");
      return;
    }
    byId("login").hidden = true;
    const state = await answer.json();
    if (state.policy.hash !== policyHash) {
      policyHash = state.policy.hash;
      await showPolicy(headers);
    }
    show(state);
  } catch (error) {
    byId("status").textContent = "The gateway does not answer (" + error.message + "). What stands here is old.";
  }
  if (document.visibilityState === "visible") setTimeout(look, 1000);
}

byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", byId("token").value);
  byId("token").value = "";
  look();
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") look();
});
look();
