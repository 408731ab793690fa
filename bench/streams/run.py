#!/usr/bin/env python3
"""What a stream of tokens costs: CPU time for each token and how long a token is under way, beside nginx (proxy_buffering off) and
HAProxy (option http-no-delay) in one run, and the memory of a stream that is idle and of one whose client does not read.

Every round visits every proxy once. The proxies have one worker each, pinned to one CPU; the source of tokens and their reader
share another. Each token carries the moment at which it was sent, and the reader subtracts that from its own clock, which is the
same. Streams send in turn, evenly over their interval: tokens don't come in bursts, where one waits for another. Only what comes
while all streams are open is measured.

    bench/streams/run.py --breakwater build/release/cli/breakwater
    bench/streams/run.py --breakwater … --rounds 3 --seconds 5 --api ollama     less of it
    bench/streams/run.py --breakwater … --only memory                           or: time
    bench/streams/run.py --breakwater … --json FILE                             adds the figures to FILE
    bench/streams/run.py --breakwater … --quick                                 memory only, few streams: what ctest runs

Exit code 1: a limit was missed (below: IDLE_KIB, DEAF_KIB; the p99 delay must be at most that of the better peer).

needs: nginx haproxy taskset (scripts/install-packages --bench), and of the build: breakwater token_source token_reader
"""
import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))  # what all benchmarks share
import results
import servers
from servers import Setup

PEERS = ("nginx", "haproxy")
IDLE_KIB = 32    # for each stream that has begun and stands still
DEAF_KIB = 256   # for each stream whose client does not read

INTERVAL_MS = 100
YEARS_MS = 10 ** 11


def setups(with_peers):
    wanted = {"breakwater": ("breakwater", Setup())}
    if with_peers:
        wanted["nginx"] = ("nginx", Setup(nginx="location / { proxy_pass http://u; proxy_buffering off; }"))
        wanted["haproxy"] = ("haproxy", Setup(haproxy="option http-no-delay\n  default_backend b",
                                              haproxy_backend="option http-no-delay"))
    return {name: wanted[name] for name in (*PEERS, "breakwater") if name in wanted}


class Reader:
    """One run of token_reader while it is open."""

    def __init__(self, args, port, **plan):
        command = [os.path.join(args.tools, "token_reader"), f"port={port}", *(f"{key}={value}" for key, value in plan.items())]
        self.process = subprocess.Popen(servers.on_cpu(servers.LOAD_CPU, command), stdout=subprocess.PIPE, text=True)

    def wait_for(self, event):
        line = self.process.stdout.readline()  # it ends by itself if nothing comes
        if not line or json.loads(line)["event"] != event:
            sys.exit(f"bench: the reader of tokens did not come to “{event}”")
        return json.loads(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def run_servers(args, folder, with_peers=True):
    source = [os.path.join(args.tools, "token_source")]
    return servers.Servers(folder, args.breakwater, setups(with_peers), lambda _, port: source + [str(port)])


# ---- Time ------------------------------------------------------------------------------------------------------------


def measure_once(args, running, name, api, seconds):
    tokens = max(2, round(seconds * 1000 / INTERVAL_MS)) + 2  # what comes before all are open is not measured
    with Reader(args, running.ports[name], openai=int(api == "openai"), streams=args.streams, tokens=tokens,
                interval_ms=INTERVAL_MS) as reader:
        opened = reader.wait_for("open")
        before = running.cpu_ns(name)
        closing = reader.wait_for("closing")
        cpu_ns = running.cpu_ns(name) - before
        reader.wait_for("closed")
        if reader.process.wait() != 0:
            sys.exit(f"bench: a stream of {name} was not complete")
    return {"cpu_us": cpu_ns / 1e3 / (closing["tokens"] - opened["tokens"]), "p50_us": closing["p50_us"],
            "p99_us": closing["p99_us"], "max_us": closing["max_us"]}


def measure_time(args, api):
    """{proxy: {figure: [one of each round]}}"""
    with tempfile.TemporaryDirectory() as folder, run_servers(args, folder) as running:
        rows = {name: {} for name in running.ports}
        for name in rows:
            measure_once(args, running, name, api, 1)  # connections and memory come to rest
        for _ in range(args.rounds):
            for name in rows:
                for key, value in measure_once(args, running, name, api, args.seconds).items():
                    rows[name].setdefault(key, []).append(value)
    return rows


def tell_time(args, api, figures):
    print(f"\n## {api}, {args.streams} streams, a token each {INTERVAL_MS} ms: median of {args.rounds} rounds (min–max)\n")
    print("| proxy | CPU µs per token | delay p50 µs | delay p99 µs | max µs |")
    print("|---|---|---|---|---|")
    for name, row in figures.items():
        cells = ["–" if name == "direct" and key == "cpu_us" else
                 f"{row[key]['median']:.1f} ({row[key]['min']:.1f}–{row[key]['max']:.1f})"
                 for key in ("cpu_us", "p50_us", "p99_us", "max_us")]
        print(f"| {name} | {' | '.join(cells)} |")
    print()
    for peer in PEERS:
        print(f"breakwater / {peer}: " + ", ".join(
            f"{what} {figures['breakwater'][key]['median'] / figures[peer][key]['median']:.2f}"
            for what, key in (("CPU", "cpu_us"), ("p50", "p50_us"), ("p99", "p99_us"))), flush=True)


# ---- Memory ----------------------------------------------------------------------------------------------------------


def at_rest(running, name):
    """Its memory once it has not grown for two seconds."""
    most, since = running.rss_kib(name), time.monotonic()
    while time.monotonic() - since < 2:
        time.sleep(0.05)
        now = running.rss_kib(name)
        if now > most:
            most, since = now, time.monotonic()
    return most


def growth(args, running, name, streams, **plan):
    """KiB for each of the streams."""
    port = running.ports[name]
    with Reader(args, port, streams=10, hold=1, tokens=2, interval_ms=YEARS_MS) as reader:
        reader.wait_for("open")  # what is kept once and for all is there from here on
        before = at_rest(running, name)
        with Reader(args, port, streams=streams, hold=1, **plan) as more:
            more.wait_for("open")
            return (at_rest(running, name) - before) / streams


def measure_memory(args, with_peers):
    """{proxy: {"idle_kib": …, "deaf_kib": …}}"""
    found = {}
    for name in setups(with_peers):
        row = found[name] = {}
        for key, streams, plan in (
                ("idle_kib", args.idle, {"tokens": 2, "interval_ms": YEARS_MS}),
                ("deaf_kib", args.deaf, {"tokens": 10 ** 9, "padding": 900, "deaf_after": 1}),
                ("deaf_later_kib", args.deaf, {"tokens": 10 ** 9, "deaf_after": 4 << 20})):
            with tempfile.TemporaryDirectory() as folder, run_servers(args, folder, with_peers) as running:
                row[key] = round(growth(args, running, name, streams, **plan), 1)
    return found


def tell_memory(args, found):
    print(f"\n## Memory, KiB for each stream ({args.idle} idle; {args.deaf} whose clients don't read)\n")
    print("| proxy | idle | not read from the start | not read after 4 MiB |")
    print("|---|---|---|---|")
    for name, row in found.items():
        print(f"| {name} | {row['idle_kib']} | {row['deaf_kib']} | {row['deaf_later_kib']} |", flush=True)


# ---- Limits ----------------------------------------------------------------------------------------------------------


def missed(memory, times):
    """The limits that were missed, as sentences."""
    ours, sentences = memory.get("breakwater", {}), []
    for key, what, limit in (("idle_kib", "an idle stream costs", IDLE_KIB),
                             ("deaf_kib", "a client that doesn't read costs", DEAF_KIB),
                             ("deaf_later_kib", "a client that stops to read costs", DEAF_KIB)):
        if ours.get(key, 0) > limit:
            sentences.append(f"{what} {ours[key]} KiB, and may cost {limit}")
    for api, figures in times.items():
        better = min(figures[peer]["p99_us"]["median"] for peer in PEERS)
        if figures["breakwater"]["p99_us"]["median"] > better:
            sentences.append(f"{api}: the p99 delay is {figures['breakwater']['p99_us']['median']:.0f} µs, and of the better peer "
                             f"{better:.0f}")
    return sentences


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--breakwater", required=True, help="a release build")
    parser.add_argument("--tools", help="folder of token_source and token_reader; else that of the same build")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--idle", type=int, default=1000, help="idle streams")
    parser.add_argument("--deaf", type=int, default=20, help="streams whose clients don't read")
    parser.add_argument("--api", default="ollama,openai")
    parser.add_argument("--json", help="file to which the figures are added")
    parser.add_argument("--only", choices=("time", "memory"))
    parser.add_argument("--quick", action="store_true", help="memory of breakwater only, few streams")
    args = parser.parse_args()
    if args.quick:
        args.idle, args.deaf, args.only = 200, 8, "memory"
    args.tools = args.tools or os.path.join(os.path.dirname(os.path.abspath(args.breakwater)), "../bench/streams")
    servers.need("taskset", *(() if args.quick else PEERS))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a stream takes two descriptors of a proxy

    times = {}
    for api in () if args.only == "memory" else args.api.split(","):
        times[api] = results.summarise(measure_time(args, api))
        tell_time(args, api, times[api])
    memory = {}
    if args.only != "time":
        memory = measure_memory(args, not args.quick)
        tell_memory(args, memory)
    if args.json:
        results.add(args.json, "streams", {"rounds": args.rounds, "seconds": args.seconds, "streams": args.streams,
                                           "figures": times, "memory": memory})
    sentences = missed(memory, times)
    print()
    for sentence in sentences or ["all limits were held"]:
        print(("missed: " if sentences else "") + sentence)
    sys.exit(1 if sentences else 0)


if __name__ == "__main__":
    main()
