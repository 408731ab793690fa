#!/usr/bin/env python3
"""What TLS towards clients costs beside nginx and HAProxy: CPU time for a request over kept connections, and for a full handshake (P-256).

    bench/tls/run.py --breakwater build/release/cli/breakwater [--rounds 5] [--seconds 4]

One worker each on one CPU, load on the other; every round visits every proxy once. What is wanted: a request over TLS at most 1.05 times the better
of nginx and HAProxy and 1.5 times our own plain one; a full handshake at most 1.1 times the better one. Exit code 1 where it is not so.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/support"))
import servers
from local import self_signed
from servers import Setup

PROXIES = ("nginx", "haproxy", "breakwater")


def certificate(folder):
    self_signed(folder)
    with open(f"{folder}/pair.pem", "wb") as pair:
        for name in ("cert.pem", "key.pem"):
            with open(f"{folder}/{name}", "rb") as part:
                pair.write(part.read())
    for name in ("key.pem", "pair.pem"):
        os.chmod(f"{folder}/{name}", 0o644)  # of a test: nginx's workers give root up


def wrk(url, seconds):
    out = subprocess.run(["taskset", "-c", servers.LOAD_CPU, "wrk", "-t1", "-c16", f"-d{seconds}s", url], check=True, capture_output=True, text=True).stdout
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    if "Non-2xx" in out or re.search(r"Socket errors: .*[1-9]", out) or requests == 0:
        sys.exit(f"bench: failed requests at {url}\n{out}")
    return requests


def handshakes(port, seconds):
    out = subprocess.run(["taskset", "-c", servers.LOAD_CPU, "openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new", "-time", str(seconds)],
                         check=True, capture_output=True, text=True).stdout
    return int(re.search(r"(\d+) connections in \d+ real seconds", out).group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--breakwater", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    args = parser.parse_args()
    servers.need("wrk", "nginx", "haproxy", "openssl", "taskset")
    tls = {proxy: servers.free_port() for proxy in PROXIES}
    setup = Setup(
        nginx=f"listen 127.0.0.1:{tls['nginx']} ssl backlog=4096; ssl_certificate FOLDER/cert.pem; ssl_certificate_key FOLDER/key.pem; "
              "ssl_protocols TLSv1.2 TLSv1.3; location / { proxy_pass http://u; }",
        haproxy=f"bind 127.0.0.1:{tls['haproxy']} ssl crt FOLDER/pair.pem\n  default_backend b",
        breakwater_gateway=f'listen_tls = "127.0.0.1:{tls["breakwater"]}"  tls = edge',
        breakwater='tls edge { certificate = "FOLDER/cert.pem"  key = "FOLDER/key.pem" }')
    rows = {(proxy, what): [] for proxy in PROXIES for what in ("plain", "tls", "handshake")}
    with tempfile.TemporaryDirectory() as folder:
        certificate(folder)
        setup.nginx = setup.nginx.replace("FOLDER", folder)
        with servers.Servers(folder, args.breakwater, {proxy: (proxy, setup) for proxy in PROXIES}) as running:
            for _ in range(args.rounds):
                for proxy in PROXIES:
                    for what, ask in (("plain", lambda: wrk(f"http://127.0.0.1:{running.ports[proxy]}/", args.seconds)),
                                      ("tls", lambda: wrk(f"https://127.0.0.1:{tls[proxy]}/", args.seconds)),
                                      ("handshake", lambda: handshakes(tls[proxy], args.seconds))):
                        before = running.cpu_ns(proxy)
                        count = ask()
                        rows[proxy, what].append((running.cpu_ns(proxy) - before) / 1e3 / count)
    median = {key: statistics.median(values) for key, values in rows.items()}
    print(f"CPU µs, median of {args.rounds} rounds of {args.seconds} s (min–max)\n\n| proxy | plain GET | GET over TLS | full handshake |\n|---|---|---|---|")
    for proxy in PROXIES:
        print(f"| {proxy} | " + " | ".join(f"{median[proxy, what]:.1f} ({min(rows[proxy, what]):.1f}–{max(rows[proxy, what]):.1f})"
                                          for what in ("plain", "tls", "handshake")) + " |")
    limits = [("GET over TLS / the better peer", median["breakwater", "tls"] / min(median["nginx", "tls"], median["haproxy", "tls"]), 1.05),
              ("GET over TLS / our own plain one", median["breakwater", "tls"] / median["breakwater", "plain"], 1.5),
              ("full handshake / the better peer", median["breakwater", "handshake"] / min(median["nginx", "handshake"], median["haproxy", "handshake"]), 1.1)]
    print()
    for what, ratio, limit in limits:
        print(f"{what}: {ratio:.2f} (limit {limit}){'' if ratio <= limit else ' – MISSED'}")
    return 0 if all(ratio <= limit for _, ratio, limit in limits) else 1


if __name__ == "__main__":
    sys.exit(main())
