#!/usr/bin/env python3
"""What TLS towards clients costs beside nginx and HAProxy: CPU time for a request over kept connections, and for a full handshake (P-256); memory
of a connection that is idle.

    bench/tls/run.py --breakwater build/release/cli/breakwater [--rounds 5] [--seconds 4]

One worker each on one CPU, load on the other; every round visits every proxy once. What is wanted: a request over TLS at most 1.05 times the better
of nginx and HAProxy and 1.5 times our own plain one; a full handshake at most 1.1 times the better one, an idle connection at most 24 KiB in the process. Exit code 1 where it is not so.
"""
import argparse
import os
import re
import resource
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/support"))
import servers
from local import self_signed
from servers import Setup

PROXIES = ("nginx", "haproxy", "breakwater")
ANSWER_END = servers.ANSWER[-20:].encode()


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


def idle(running, proxy, port, count):
    """KiB that an idle TLS connection takes in the proxy, all its processes together."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def connect(count):
        connections = []
        for _ in range(count):
            connection = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost")
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            text = b""
            while ANSWER_END not in text:
                text += connection.recv(65536)
            connections.append(connection)
        return connections
    first = connect(50)  # what is made once
    time.sleep(0.5)
    before = running.rss_kib(proxy)
    held = connect(count)
    time.sleep(0.5)
    each = (running.rss_kib(proxy) - before) / count
    for connection in first + held:
        connection.close()
    return each


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--breakwater", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--idle", type=int, default=1000, help="connections")
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
            resource.setrlimit(resource.RLIMIT_NOFILE, (args.idle + 1000, max(args.idle + 1000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
            memory = {proxy: idle(running, proxy, tls[proxy], args.idle) for proxy in PROXIES}
    median = {key: statistics.median(values) for key, values in rows.items()}
    print(f"CPU µs, median of {args.rounds} rounds of {args.seconds} s (min–max)\n\n| proxy | plain GET | GET over TLS | full handshake | KiB of an idle TLS connection |\n|---|---|---|---|---|")
    for proxy in PROXIES:
        print(f"| {proxy} | " + " | ".join(f"{median[proxy, what]:.1f} ({min(rows[proxy, what]):.1f}–{max(rows[proxy, what]):.1f})"
                                          for what in ("plain", "tls", "handshake")) + f" | {memory[proxy]:.1f} |")
    limits = [("GET over TLS / the better peer", median["breakwater", "tls"] / min(median["nginx", "tls"], median["haproxy", "tls"]), 1.05),
              ("GET over TLS / our own plain one", median["breakwater", "tls"] / median["breakwater", "plain"], 1.5),
              ("full handshake / the better peer", median["breakwater", "handshake"] / min(median["nginx", "handshake"], median["haproxy", "handshake"]), 1.1),
              (f"KiB of an idle TLS connection, {args.idle} of them", memory["breakwater"], 24)]
    print()
    for what, ratio, limit in limits:
        print(f"{what}: {ratio:.2f} (limit {limit}){'' if ratio <= limit else ' – MISSED'}")
    return 0 if all(ratio <= limit for _, ratio, limit in limits) else 1


if __name__ == "__main__":
    sys.exit(main())
