#!/usr/bin/env python3
"""How long a gateway takes from its start to the first answer that it passed on, and the memory that it has then, idle.

    bench/start/run.py --breakwater build/release/cli/breakwater [--json FILE] [--rounds 7] [--check]

| case | what |
|---|---|
| text | the shipped policy qwen3-32b.policy, addresses replaced |
| bundle | the same, compiled before |
| many | a bundle of 10,000 routes with two conditions each; `load` is what it takes beyond the small bundle |

Start is the time from exec to the last byte of the answer (median of the rounds); memory is PSS, a second after it. No other gateway may run:
pages that processes share are shared by PSS. --check: exit code 1 where a limit is missed.
"""
import argparse
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
import results
from servers import free_port

ROUTES = 10_000
LIMITS = {"bundle": {"start_ms": 15, "pss_mib": 10}, "text": {"start_ms": 70, "pss_mib": 25}, "many": {"load_ms": 20}}
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 73\r\n\r\n' \
         b'{"model":"m","message":{"role":"assistant","content":"ok"},"done":true}\r\n'
BODY = b'{"model":"m","stream":false,"messages":[{"role":"user","content":"hi"}]}'


def upstream():
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)

    def one(connection):
        with connection:
            while connection.recv(65536):
                connection.sendall(ANSWER)

    def run():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=one, args=(connection,), daemon=True).start()
    threading.Thread(target=run, daemon=True).start()
    return listener.getsockname()[1]


def shipped(port, up):
    with open(os.path.join(HERE, "../../policies/qwen3-32b.policy"), encoding="utf-8") as f:
        text = f.read()
    text = text.replace('"0.0.0.0:8080"', f'"127.0.0.1:{port}"')
    return re.sub(r'"http://ollama-service:11434', f'"http://127.0.0.1:{up}', text)


def many(port, up):
    rows = "".join(f'route r{i} {{ when request.method == POST and request.path == "/tenants/t{i}/api/chat"  to = u }}\n' for i in range(ROUTES))
    return f'edition 1\ngateway {{ listen = "127.0.0.1:{port}"  admin = off  workers = 1 }}\nupstream u {{ url = "http://127.0.0.1:{up}" }}\n{rows}'


def start(binary, file, port, path, folder):
    """Milliseconds to the first answer, and PSS in MiB."""
    request = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + BODY
    with open(os.path.join(folder, "out"), "wb") as out:
        began = time.monotonic()
        gateway = subprocess.Popen([binary, "run", file], stdout=out, stderr=out, cwd=folder)
        try:
            while True:
                with socket.socket() as s:
                    if s.connect_ex(("127.0.0.1", port)) != 0:
                        if gateway.poll() is not None or time.monotonic() - began > 30:
                            with open(os.path.join(folder, "out"), encoding="utf-8") as f:
                                sys.exit(f"bench: the gateway did not start: {f.read()[-400:]}")
                        time.sleep(0.0005)
                        continue
                    s.sendall(request)
                    answer = s.recv(65536)
                    took = (time.monotonic() - began) * 1e3
                    if not answer.startswith(b"HTTP/1.1 200"):
                        sys.exit(f"bench: not passed on: {answer!r}")
                    break
            time.sleep(1)
            with open(f"/proc/{gateway.pid}/smaps_rollup", encoding="ascii") as f:
                pss = int(re.search(r"^Pss:\s+(\d+)", f.read(), re.M)[1]) / 1024
        finally:
            gateway.terminate()
            gateway.wait(30)
    return took, pss


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--breakwater", required=True)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--json")
    options.add_argument("--check", action="store_true")
    chosen = options.parse_args()
    binary = os.path.abspath(chosen.breakwater)
    up = upstream()
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        files = {}
        for name, text in (("text", shipped(port, up)), ("many", many(port, up))):
            files[name] = os.path.join(folder, name + ".policy")
            with open(files[name], "w", encoding="utf-8") as f:
                f.write(text)
        for name, of in (("bundle", "text"), ("many", "many")):
            bundle = os.path.join(folder, name + ".bundle")
            subprocess.run([binary, "compile", files[of], "-o", bundle], check=True, capture_output=True)
            files[name] = bundle
        for name, path in (("bundle", "/api/chat"), ("text", "/api/chat"), ("many", "/tenants/t77/api/chat")):
            rounds = [start(binary, files[name], port, path, folder) for _ in range(chosen.rounds)]
            figures[name] = {"start_ms": round(statistics.median(r[0] for r in rounds), 1), "pss_mib": round(statistics.median(r[1] for r in rounds), 1)}
        figures["many"]["load_ms"] = round(figures["many"]["start_ms"] - figures["bundle"]["start_ms"], 1)
    missed = []
    for name, row in figures.items():
        told = []
        for key, value in row.items():
            limit = LIMITS[name].get(key)
            told.append(f"{key} {value}" + (f" (at most {limit})" if limit else ""))
            if limit and value > limit:
                missed.append(f"{name}: {key} {value} > {limit}")
        print(f"{name:8}" + ", ".join(told), flush=True)
    if chosen.json:
        results.add(chosen.json, "start", {"rounds": chosen.rounds, "rows": figures})
    for line in missed:
        print("missed:", line)
    return 1 if chosen.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
