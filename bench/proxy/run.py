#!/usr/bin/env python3
"""CPU time for each request and added latency of Breakwater beside nginx and HAProxy, on one upstream, in one run.

Every round visits every proxy once, so that what else the machine does falls on all alike. The proxies have one worker each,
pinned to one CPU; upstream and load generator share another. CPU time is what the scheduler gave to all threads of a proxy
(/proc/PID/task/*/schedstat), divided by the requests that wrk counted, with 16 connections. Latency is that of one connection,
less that of the upstream asked directly.

    bench/proxy/run.py --breakwater build/release/cli/breakwater                        all cases
    bench/proxy/run.py --breakwater … --case post,routes --rounds 3 --seconds 2         some
    bench/proxy/run.py --breakwater … --logs on         with a line of the access log for each request, at all three
    bench/proxy/run.py --breakwater … --json FILE       adds the cases that were run to FILE
    bench/proxy/run.py --breakwater … --compare FILE    and says what changed since FILE was written

needs: wrk nginx haproxy taskset (scripts/install-packages --bench)
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))  # what all benchmarks share
import results
import servers
from servers import Setup

BODY = json.dumps({"model": "qwen3:32b", "stream": False, "messages": [{"role": "user", "content": "x" * 900}]})
LUA_POST = f"wrk.method='POST'\nwrk.headers['Content-Type']='application/json'\nwrk.body=[[{BODY}]]\n"
PEERS = ("nginx", "haproxy")
ROUTES = (1, 10, 100, 1000, 10000)


def all_three(**more):
    return {proxy: (proxy, Setup(**more)) for proxy in (*PEERS, "breakwater")}


# ---- Cases: what the proxies do, and what wrk asks -------------------------------------------------------------------


def cached():
    return all_three(
        nginx_http="proxy_cache_path FOLDER/cache keys_zone=c:1m;",
        nginx="location / { proxy_pass http://u; proxy_cache c; proxy_cache_key $uri; proxy_cache_valid 200 1h; }",
        haproxy_more="cache c\n  total-max-size 4\n  max-age 3600",
        haproxy="http-request cache-use c\n  http-response cache-store c\n  default_backend b",
        haproxy_backend="http-response set-header Cache-Control max-age=3600",
        breakwater="""cache c { key = "${request.path}"  ttl = 1h  shared = true }
route all { to = u  cache = c }""")


def static_answer():
    quoted = servers.STATIC.replace('"', '\\"')
    return all_three(
        upstream_is_down=True,
        nginx=f"""location / {{ proxy_pass http://u; error_page 502 504 =200 @static; }}
                  location @static {{ return 200 '{servers.STATIC}'; }}""",
        haproxy=f"""http-request return status 200 content-type application/json string "{quoted}" if {{ nbsrv(b) eq 0 }}
  default_backend b""",
        breakwater=f"reply static_answer {{ status = 200  body = json {servers.STATIC} }}")


def tenant(number):
    return f"/tenants/t{number}/api/chat"


def routes():
    """Breakwater with few and many routes, and the peers with the fewest and the most."""
    setups = {}
    for count in ROUTES:
        numbers = range(count)
        if count in (ROUTES[0], ROUTES[-1]):
            setups[f"nginx {count}"] = ("nginx", Setup(
                nginx="\n".join(f"location = {tenant(n)} {{ proxy_pass http://u; }}" for n in numbers)))
            setups[f"haproxy {count}"] = ("haproxy", Setup(
                haproxy=f"use_backend %[path,map(FOLDER/map{count})]"))
        setups[f"breakwater {count}"] = ("breakwater", Setup(breakwater="\n".join(
            f'route r{n} {{ when request.method == POST and request.path == "{tenant(n)}" to = u }}' for n in numbers)))
    return setups


def write_maps(folder):
    for count in (ROUTES[0], ROUTES[-1]):
        servers.write(folder, f"map{count}", "".join(f"{tenant(n)} b\n" for n in range(count)))


def lua_routes(target):
    """Asks up to 1,000 of the routes in turn, spread over all of them."""
    last = target.split()[-1]
    count = int(last) if last.isdigit() else 1
    return LUA_POST + f"""
local requests, at, count = {{}}, 0, {count}
function init()
  local some = math.min(count, 1000)
  for i = 1, some do
    local number = ((i * 7919) % some) * math.floor(count / some)
    requests[i] = wrk.format(nil, "/tenants/t" .. number .. "/api/chat")
  end
end
function request() at = at % #requests + 1 return requests[at] end
"""


class Case:
    def __init__(self, title, setups, path="/", lua=None, headers=(), prepare=None, connections=16):
        self.title, self.setups, self.path, self.lua = title, setups, path, lua or (lambda target: "")
        self.headers, self.prepare, self.connections = headers, prepare, connections


CASES = {
    "get": Case("GET, 300-byte JSON answer", all_three),
    "post": Case("POST /api/chat, 1 KiB JSON body, 300-byte JSON answer", all_three, "/api/chat", lambda target: LUA_POST),
    "static": Case("POST while the upstream is down: a static answer", static_answer, "/api/chat", lambda target: LUA_POST),
    "cache": Case("GET answered from the cache", cached),
    "connections": Case("GET, a new connection for each request", all_three, headers=("Connection: close",)),
    "big": Case("GET, 10 MiB answer", all_three, "/big", connections=4),
    "routes": Case("POST to one of 1 to 10,000 routes", routes, lua=lua_routes, prepare=write_maps),
}


# ---- Measuring -------------------------------------------------------------------------------------------------------


def in_us(text):
    found = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    if found is None:
        sys.exit(f"bench: wrk gives a latency as {text!r}")
    return float(found[1]) * {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}[found[2]]


def load(folder, case, target, port, connections, seconds):
    command = ["taskset", "-c", servers.LOAD_CPU, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    lua = case.lua(target)
    if lua:
        command += ["-s", servers.write(folder, "load.lua", lua)]
    for header in case.headers:
        command += ["-H", header]
    out = subprocess.run(command + [f"http://127.0.0.1:{port}{case.path}"], check=True, capture_output=True,
                         text=True).stdout
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    if "Non-2xx or 3xx responses" in out or re.search(r"Socket errors: .*[1-9]", out) or requests == 0:
        sys.exit(f"bench: failed requests at {target}\n{out}")
    return {"requests": requests, "rps": float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)),
            "p50_us": in_us(re.search(r"(?m)^ +50% +(\S+)$", out).group(1)),
            "p99_us": in_us(re.search(r"(?m)^ +99% +(\S+)$", out).group(1))}


def measure(args, case):
    """{target: {figure: [one of each round]}}"""
    with tempfile.TemporaryDirectory() as folder:
        if case.prepare:
            case.prepare(folder)
        with servers.Servers(folder, args.breakwater, case.setups()) as running:
            rows = {name: {"cpu_us": [], "p50_us": [], "p99_us": [], "rps": []} for name in running.ports}
            for name, port in running.ports.items():  # connections, caches and breakers come to rest
                load(folder, case, name, port, case.connections, 1)
            for _ in range(args.rounds):
                for name, port in running.ports.items():
                    before = running.cpu_ns(name)
                    result = load(folder, case, name, port, case.connections, args.seconds)
                    rows[name]["cpu_us"].append((running.cpu_ns(name) - before) / 1e3 / result["requests"])
                    rows[name]["rps"].append(result["rps"])
                    single = load(folder, case, name, port, 1, max(1, args.seconds // 2))
                    rows[name]["p50_us"].append(single["p50_us"])
                    rows[name]["p99_us"].append(single["p99_us"])
            for name in rows:
                rows[name]["rss_mib"] = [running.rss_mib(name)]
    return rows


# ---- Telling ---------------------------------------------------------------------------------------------------------


def ratios(figures):
    """Breakwater's CPU time against each peer's (with as many routes), and against itself with one route."""
    found = {}
    for name, row in figures.items():
        proxy, _, count = name.partition(" ")
        if proxy != "breakwater":
            continue
        for peer in PEERS:
            other = f"{peer} {count}".strip()
            if other in figures:
                found[f"{name} / {other}"] = row["cpu_us"]["median"] / figures[other]["cpu_us"]["median"]
        if count not in ("", "1"):
            found[f"{name} / breakwater 1"] = row["cpu_us"]["median"] / figures["breakwater 1"]["cpu_us"]["median"]
    return found


def tell(title, rounds, result, before):
    print(f"\n## {title}: median of {rounds} rounds (min–max)\n")
    print("| proxy | CPU µs per request | requests/s | added p50 µs | added p99 µs | MiB |")
    print("|---|---|---|---|---|---|")
    figures = result["figures"]
    for name, row in figures.items():
        cpu, added = "–", {"p50_us": "–", "p99_us": "–"}
        if name != "direct":
            cpu = f"{row['cpu_us']['median']:.1f} ({row['cpu_us']['min']:.1f}–{row['cpu_us']['max']:.1f})"
            for key in added:
                added[key] = f"{row[key]['median'] - figures['direct'][key]['median']:.0f}"
        print(f"| {name} | {cpu} | {row['rps']['median']:.0f} | {added['p50_us']} | {added['p99_us']} | "
              f"{row['rss_mib']['median']:.0f} |")
    print()
    for name, ratio in result["ratios"].items():
        line = f"CPU {name}: {ratio:.2f}"
        if before and name in before["ratios"]:
            line += f" (recorded: {before['ratios'][name]:.2f}, {100 * (ratio / before['ratios'][name] - 1):+.0f} %)"
        print(line, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--breakwater", required=True, help="a release build")
    parser.add_argument("--case", default=",".join(CASES), help="some of: " + ", ".join(CASES))
    parser.add_argument("--logs", choices=("on", "off"), default="on", help="access logs of all three")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--json", help="file to which the results are added")
    parser.add_argument("--compare", help="file of an earlier run")
    args = parser.parse_args()
    servers.LOGS = args.logs == "on"
    servers.need("wrk", "nginx", "haproxy", "taskset")
    names = args.case.split(",")
    for name in names:
        if name not in CASES:
            sys.exit(f"bench: there is no case {name}; there are {', '.join(CASES)}")
    if args.compare and not os.path.exists(args.compare):
        sys.exit(f"bench: there is no {args.compare}")
    before = results.read(args.compare).get("cases", {})
    for name in names:
        figures = results.summarise(measure(args, CASES[name]))
        result = {"logs": args.logs, "rounds": args.rounds, "seconds": args.seconds, "figures": figures, "ratios": ratios(figures)}
        tell(CASES[name].title, args.rounds, result, before.get(name if args.logs == "on" else f"{name}, no logs"))
        if args.json:
            results.add(args.json, name if args.logs == "on" else f"{name}, no logs", result)


if __name__ == "__main__":
    main()
