#!/usr/bin/env python3
"""CPU time for each request and added latency of Breakwater beside nginx and HAProxy, on one upstream, in one run.

Every round visits every proxy once, so that what else the machine does falls on all alike. The proxies have one worker each,
pinned to one CPU; upstream and load generator share another. CPU time is what the scheduler gave to all threads of a proxy
(/proc/PID/task/*/schedstat), divided by the requests that wrk counted.

usage: bench/proxy/run.py --breakwater build/release/cli/breakwater [--rounds 5] [--seconds 3] [--json FILE]
needs: wrk nginx haproxy taskset
"""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

PROXY_CPU, LOAD_CPU = "0", "1"
BODY = json.dumps({"model": "qwen3:32b", "stream": False, "messages": [{"role": "user", "content": "x" * 900}]})


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, process):
    for _ in range(500):
        if process.poll() is not None:
            sys.exit(f"bench: {process.args} ended with {process.returncode}")
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    sys.exit(f"bench: nothing listens on {port}")


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


NGINX = """daemon off; worker_processes 1; pid {dir}/{name}.pid; error_log {dir}/{name}.err;
events {{ worker_connections 4096; }}
http {{ access_log off; client_body_temp_path {dir}/{name}.b; proxy_temp_path {dir}/{name}.p; fastcgi_temp_path {dir}/{name}.f;
uwsgi_temp_path {dir}/{name}.u; scgi_temp_path {dir}/{name}.s; keepalive_requests 1000000000; client_max_body_size 16m;
{http} }}
"""


def start(folder, breakwater, rules):
    """Returns (processes, {name: port}); the upstream itself is 'direct'."""
    ports = {name: free_port() for name in ("direct", "nginx", "haproxy", "breakwater")}
    upstream = ports["direct"]
    answer = json.dumps({"model": "qwen3:32b", "message": {"role": "assistant", "content": "y" * 200}, "done": True})
    commands = {
        "direct": (LOAD_CPU, ["nginx", "-c", write(folder, "direct.conf", NGINX.format(dir=folder, name="direct", http=f"""
            server {{ listen 127.0.0.1:{upstream} backlog=4096; default_type application/json;
                      location / {{ return 200 '{answer}'; }} }}"""))]),
        "nginx": (PROXY_CPU, ["nginx", "-c", write(folder, "nginx.conf", NGINX.format(dir=folder, name="nginx", http=f"""
            upstream u {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; }}
            server {{ listen 127.0.0.1:{ports['nginx']} backlog=4096; location / {{ proxy_pass http://u;
                      proxy_http_version 1.1; proxy_set_header Connection ""; }} }}"""))]),
        "haproxy": (PROXY_CPU, ["haproxy", "-f", write(folder, "haproxy.cfg", f"""global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  retries 2
  retry-on conn-failure 500 502 503 504
  option redispatch
frontend f
  bind 127.0.0.1:{ports['haproxy']}
  default_backend b
backend b
  http-reuse always
  server s 127.0.0.1:{upstream}
""")]),
        "breakwater": (PROXY_CPU, [breakwater, "run", write(folder, "bench.policy", f"""edition 1
gateway {{ listen = "127.0.0.1:{ports['breakwater']}"  admin = off  workers = 1  access_log = off }}
upstream u {{
  url = "http://127.0.0.1:{upstream}"
  repeat_safe = true
  retry {{ max_retries = 2  when status in 5xx or error in {{connect_failure, refused}}  wait = exponential(from: 500ms, factor: 2, cap: 2s) }}
  breaker {{ open when failed_requests(60s) >= 5 }}
}}
{rules}
""")]),
    }
    processes = {}
    for name, (cpu, command) in commands.items():
        log = open(os.path.join(folder, name + ".log"), "wb")
        processes[name] = subprocess.Popen(["taskset", "-c", cpu] + command, stdout=log, stderr=log)
    for name, process in processes.items():
        wait_for(ports[name], process)
    return processes, ports


def family(pid):
    with os.popen(f"pgrep -P {pid}") as children:
        return [pid] + [int(c) for c in children.read().split()]


def cpu_ns(pid):
    total = 0
    for p in family(pid):
        for task in os.listdir(f"/proc/{p}/task"):
            with open(f"/proc/{p}/task/{task}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0])
    return total


def in_us(text):
    value, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(value) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]


def load(folder, port, connections, seconds, post):
    command = ["taskset", "-c", LOAD_CPU, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    if post:
        command += ["-s", write(folder, "post.lua", "wrk.method='POST'\nwrk.headers['Content-Type']='application/json'\n"
                                f"wrk.body=[[{BODY}]]\n")]
    path = "/api/chat" if post else "/"
    out = subprocess.run(command + [f"http://127.0.0.1:{port}{path}"], check=True, capture_output=True, text=True).stdout
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    if failed or re.search(r"Socket errors: .*[1-9]", out):
        sys.exit(f"bench: failed requests on port {port}\n{out}")
    return {"requests": requests, "rps": float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)),
            "p50_us": in_us(re.search(r"50%\s+(\S+)", out).group(1)),
            "p99_us": in_us(re.search(r"99%\s+(\S+)", out).group(1))}


def measure(args, folder, case, post, processes, ports):
    rows = {name: {"cpu_us": [], "p50_us": [], "p99_us": [], "rps": []} for name in processes}
    for _ in range(args.rounds):
        for name, process in processes.items():
            before = cpu_ns(process.pid)
            result = load(folder, ports[name], 16, args.seconds, post)
            rows[name]["cpu_us"].append((cpu_ns(process.pid) - before) / 1e3 / result["requests"])
            rows[name]["rps"].append(result["rps"])
            single = load(folder, ports[name], 1, max(1, args.seconds // 2), post)
            rows[name]["p50_us"].append(single["p50_us"])
            rows[name]["p99_us"].append(single["p99_us"])
    print(f"\n## {case}: median of {args.rounds} rounds (min–max)")
    print("| proxy | CPU µs per request | requests/s, 16 connections | p50 µs, 1 connection | added p50 µs | p99 µs |")
    print("|---|---|---|---|---|---|")
    direct = statistics.median(rows["direct"]["p50_us"])
    for name, row in rows.items():
        median = {key: statistics.median(values) for key, values in row.items()}
        cpu = "–" if name == "direct" else f"{median['cpu_us']:.1f} ({min(row['cpu_us']):.1f}–{max(row['cpu_us']):.1f})"
        added = "–" if name == "direct" else f"{median['p50_us'] - direct:.0f}"
        print(f"| {name} | {cpu} | {median['rps']:.0f} | {median['p50_us']:.0f} | {added} | {median['p99_us']:.0f} |")
    own = statistics.median(rows["breakwater"]["cpu_us"])
    for peer in ("nginx", "haproxy"):
        print(f"breakwater / {peer}: CPU {own / statistics.median(rows[peer]['cpu_us']):.2f}")
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--breakwater", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--json")
    args = parser.parse_args()
    for tool in ("wrk", "nginx", "haproxy", "taskset"):
        if shutil.which(tool) is None and not os.path.exists("/usr/sbin/" + tool):
            sys.exit(f"bench: {tool} is missing; scripts/install-packages --bench installs it")
    os.environ["PATH"] += ":/usr/sbin"
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        processes, ports = start(folder, os.path.abspath(args.breakwater), "")
        try:
            results["GET"] = measure(args, folder, "GET, 300-byte JSON answer", False, processes, ports)
            results["POST"] = measure(args, folder, "POST /api/chat, 1 KiB JSON body, 300-byte JSON answer", True,
                                      processes, ports)
        finally:
            for process in processes.values():
                process.send_signal(signal.SIGTERM)
            for process in processes.values():
                process.wait(20)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump(results, f, indent=1)


if __name__ == "__main__":
    main()
