#!/usr/bin/env python3
"""What seeing costs: CPU time for each request of a gateway with everything on – access log in a file, live page open, a scrape each second –
against the same gateway with everything off, in pairs of runs one right after the other.

    cost.py --breakwater build/release/cli/breakwater [--rounds 7] [--seconds 3] [--case post] [--check] [--json FILE]

--check  exit code 1 where the median of the pairs is above 3 %

Counting itself can't be switched off; bench/instructions/run.py --profile tells its share. Gateway, upstream and load are pinned as in
bench/proxy. The time is that of all threads: the writer of the log and the loop of the admin address are among them.
"""
import argparse
import http.client
import os
import pathlib
import statistics
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "proxy")]
import results  # noqa: E402
import run as proxy_bench  # noqa: E402
import servers  # noqa: E402
from servers import Setup  # noqa: E402

MOST = 3.0  # per cent
TOKEN = "token"


class Looker:
    """Prometheus and an open live page: one scrape and one look each second."""

    def __init__(self, admin):
        self.admin, self.looks, self.is_over = admin, 0, threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()

    def _look(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=10)
        pages = (("/metrics", {"Accept": "application/openmetrics-text;version=1.0.0"}), ("/admin/state", {"Authorization": f"Bearer {TOKEN}"}))
        while not self.is_over.is_set():
            for page, headers in pages:
                connection.request("GET", page, headers=headers)
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200, (page, answer.status)
            self.looks += 1
            self.is_over.wait(1)

    def stop(self):
        self.is_over.set()
        self.thread.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--breakwater", required=True, help="a release build")
    parser.add_argument("--case", default="get,post", help="some of: get, post")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--json", help="file to which the results are added")
    args = parser.parse_args()
    servers.need("wrk", "nginx", "taskset")
    os.environ["COST_ADMIN_TOKEN"] = TOKEN
    is_above = False
    for name in args.case.split(","):
        case = proxy_bench.CASES[name]
        with tempfile.TemporaryDirectory() as folder:
            admin = servers.free_port()
            on = f'access_log = "{folder}/access.log"  admin = "127.0.0.1:{admin}"  admin_token = secret("COST_ADMIN_TOKEN")'
            setups = {"on": ("breakwater", Setup(breakwater_seen=on)), "off": ("breakwater", Setup(breakwater_seen="access_log = off  admin = off"))}
            rows = {"on": {"cpu_us": []}, "off": {"cpu_us": []}}
            pairs = []
            with servers.Servers(folder, args.breakwater, setups) as running:
                for target in setups:
                    proxy_bench.load(folder, case, target, running.ports[target], case.connections, 1)
                for number in range(args.rounds):
                    for target in ("on", "off") if number % 2 == 0 else ("off", "on"):
                        looker = Looker(admin) if target == "on" else None
                        before = running.cpu_ns(target)
                        result = proxy_bench.load(folder, case, target, running.ports[target], case.connections, args.seconds)
                        if looker:
                            looker.stop()
                        time.sleep(0.15)  # the last piece of the log is written
                        rows[target]["cpu_us"].append((running.cpu_ns(target) - before) / 1e3 / result["requests"])
                        os.truncate(f"{folder}/access.log", 0)
                    pairs.append(100 * (rows["on"]["cpu_us"][-1] / rows["off"]["cpu_us"][-1] - 1))
        figures = results.summarise(rows)
        more = statistics.median(pairs)
        is_above = is_above or more > MOST
        print(f"{case.title}: {figures['on']['cpu_us']['median']:.2f} µs a request with everything on, {figures['off']['cpu_us']['median']:.2f} off: "
              f"{more:+.1f} % (median of {args.rounds} pairs: {', '.join(f'{pair:+.1f}' for pair in pairs)})", flush=True)
        if args.json:
            results.add(args.json, f"seeing, {name}", {"rounds": args.rounds, "seconds": args.seconds, "figures": figures, "more_percent": round(more, 2)})
    if args.check and is_above:
        sys.exit(f"more than {MOST} %")


main()
