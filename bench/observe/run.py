#!/usr/bin/env python3
"""What it costs to look at a gateway with 200 upstreams: how long a scrape and a look of the live page take, and whether requests wait for them.

    run.py --breakwater build/release/cli/breakwater [--upstreams 200] [--seconds 10] [--check]

--check  exit code 1 where a scrape takes more than 5 ms (the median), or a request waits more than 1 ms longer while somebody scrapes and
         looks ten times a second (the 99th percentile; that of a machine on which something else runs says nothing)
"""
import argparse
import http.client
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples/support"))
from local import answers, free_port, wait_for  # noqa: E402

UPSTREAM = """upstream u{n} {{
  url = "http://127.0.0.1:1"
  max_in_flight = 8
  queue {{ length = 8  timeout = 1s }}
  retry {{ max_retries = 1  when status == 503  wait = exponential(from: 10ms, factor: 1, cap: 10ms)  budget = 10% }}
  breaker {{ open when failures(60s) >= 5  open_for = 15s }}
}}
route r{n} {{ when request.path starts_with "/r{n}/"  to = u{n}  fallback = [busy] }}
"""


def ask(connection, path, headers=None):
    began = time.perf_counter()
    connection.request("GET", path, headers=headers or {})
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, (path, answer.status)
    return (time.perf_counter() - began) * 1e3, len(body)


def requests(port, seconds):
    """Milliseconds of requests that the gateway answers itself, one after the other."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for _ in range(200):
        ask(connection, "/own")
    times, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        times.append(ask(connection, "/own")[0])
    return sorted(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--breakwater", required=True)
    parser.add_argument("--upstreams", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    port, admin = free_port(), free_port()
    policy = (f'edition 1\ngateway {{ listen = "127.0.0.1:{port}"  admin = "127.0.0.1:{admin}"  admin_token = secret("ADMIN_TOKEN")  workers = 1 }}\n' +
              "".join(UPSTREAM.format(n=n) for n in range(options.upstreams)) +
              'route own { when request.path == "/own"  reply = hello }\nroute rest { reply = busy }\n'
              'reply hello { status = 200  text = "hello" }\nreply busy { status = 503  text = "busy"  header["Retry-After"] = "5" }\n')
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "many.policy")
        with open(path, "w") as file:
            file.write(policy)
        gateway = subprocess.Popen([options.breakwater, "run", path], env={**os.environ, "ADMIN_TOKEN": "token"}, stdout=subprocess.DEVNULL,
                                   stderr=open(os.path.join(folder, "log"), "wb"))
        try:
            wait_for("the gateway", lambda: gateway.poll() is None and answers(admin, "/health/ready"), 120)
            looker = http.client.HTTPConnection("127.0.0.1", admin, timeout=10)
            pages = {"a scrape (text)": ("/metrics", {}), "a scrape (OpenMetrics)": ("/metrics", {"Accept": "application/openmetrics-text"}),
                     "a look of the live page": ("/admin/state", {"Authorization": "Bearer token"})}
            took = {}
            for name, (page, headers) in pages.items():
                seen = [ask(looker, page, headers) for _ in range(30)]
                took[name] = statistics.median(one[0] for one in seen)
                print(f"{name}: {took[name]:.2f} ms (median of 30), {seen[0][1]} bytes")
            alone = requests(port, options.seconds)
            looking = True

            def look():
                while looking:
                    for page, headers in pages.values():
                        ask(looker, page, headers)
                    time.sleep(0.1)
            thread = threading.Thread(target=look)
            thread.start()
            watched = requests(port, options.seconds)
            looking = False
            thread.join()
        finally:
            gateway.terminate()
            gateway.wait(60)
    p99 = [times[int(len(times) * 0.99)] for times in (alone, watched)]
    for name, times, p in (("alone", alone, p99[0]), ("looked at ten times a second", watched, p99[1])):
        print(f"requests {name}: {len(times)}, median {statistics.median(times):.3f} ms, p99 {p:.3f} ms, p99.9 {times[int(len(times) * 0.999)]:.3f} ms, most {times[-1]:.3f} ms")
    if options.check and (max(took["a scrape (text)"], took["a scrape (OpenMetrics)"]) > 5 or p99[1] - p99[0] > 1):
        sys.exit("more than is promised")


main()
