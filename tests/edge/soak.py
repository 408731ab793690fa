#!/usr/bin/env python3
"""Mixed load for as long as one likes, with faults and reloads; and what clients may do that mean no good.

    soak.py BREAKWATER [--seconds 600] [--idle 10000] [--loris 500] [--drift-kib 4096] [--no-timing]

1. quiet:   ordinary requests, nothing else: their p99.
2. crowded: idle connections, half of them TLS; clients that send a header a byte at a time; one that asks for 64 MiB and reads nothing.
            Ordinary requests keep their p99 within twice the quiet one; what an idle connection costs is said, and bounded (24 KiB with TLS).
3. soak:    requests, streams, TLS, clients that leave, failures, cut answers, an upstream that goes away for a while, and a reload every
            second: descriptors and memory stay, and the log holds no error that is not a fault's.
--no-timing: sanitizers have their own ideas of time and memory.
"""
import argparse
import asyncio
import random
import resource
import sys

import certificates
import lab

# What the faults of this run bring about. Everything else at level "error", and every line that is no event, is a failure of the run.
FAULTS = {"reload refused"}


def percentile(times, share):
    times = sorted(times)
    return times[min(len(times) - 1, int(len(times) * share))]


class Soak:
    def __init__(self, options):
        self.options = options
        self.counts = {}
        self.problems = []
        self.over = asyncio.Event()
        self.random = random.Random(7)

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def policy(self, number):
        return f"""edition 1
gateway {{
  listen = "127.0.0.1:{self.port}"
  listen_tls = "127.0.0.1:{self.tls_port}"
  tls = [edge]
  admin = "127.0.0.1:{self.admin_port}"
  limits {{ connections = 20000  idle = 10min  header_time = 10min }}
}}
tls edge {{ certificate = "{self.pair[0]}"  key = "{self.pair[1]}" }}
cache kept {{ key = "k ${{request.path}}"  ttl = {1 + number % 7}s  shared = true  max_bytes = 256KiB }}
upstream main {{
  url = "{self.upstream.url}"
  repeat_safe = true
  timeouts {{ connect = 1s  first_token = {20 + number % 9}s  idle = 30s }}
  max_in_flight = 200
  queue {{ length = 100  timeout = 10s }}
  retry {{ max_retries = 1  when error in {{refused, reset}}  wait = exponential(from: 5ms, factor: 2, cap: 10ms)  budget = 20% }}
  breaker {{ open when failures(2s) >= {40 + number % 9}  open_for = 300ms }}
}}
upstream safe {{ url = "{self.secure.url}"  tls {{ ca = "{self.authority}" }} }}
route kept {{ when request.path starts_with "/kept/"  to = main  cache = kept }}
route safe {{ when request.path == "/safe"  to = safe }}
route all {{ to = main }}
"""

    async def ordinary(self, seconds, clients=4):
        """Times of requests over kept connections."""
        times = []
        end = lab.now() + seconds

        async def one():
            client = await lab.Client.connect(self.port)
            while lab.now() < end:
                began = lab.now()
                status, _, _ = await client.request("GET", "/ordinary")
                times.append(lab.now() - began)
                lab.hold(status == 200, "an ordinary request got", status)
                await asyncio.sleep(0.002)
            client.close()
        await asyncio.gather(*(one() for _ in range(clients)))
        return times

    # ---- Crowded ----

    async def crowd(self):
        options = self.options
        held = []
        before = self.gateway.memory()
        for i in range(0, options.idle // 2, 50):
            held += await asyncio.gather(*(lab.Client.connect(self.port) for _ in range(50)))
        await asyncio.sleep(0.3)
        plain = self.gateway.memory()
        for i in range(0, options.idle // 2, 50):
            held += await asyncio.gather(*(lab.Client.connect(self.tls_port, self.context) for _ in range(50)))
        await asyncio.sleep(0.3)
        tls = self.gateway.memory()
        each = [(plain - before) / (options.idle / 2) / 1024, (tls - plain) / (options.idle / 2) / 1024]
        print(f"soak: {options.idle} idle connections: {each[0]:.1f} KiB each, with TLS {each[1]:.1f} KiB", flush=True)
        if each[1] > 24 and not options.no_timing and options.idle >= 2000:
            self.problems.append(f"an idle TLS connection costs {each[1]:.1f} KiB")
        return held

    async def loris(self):
        try:
            client = await lab.Client.connect(self.port)
            client.writer.write(b"GET /loris HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
            while not self.over.is_set():
                client.writer.write(b"x")
                await asyncio.sleep(1)
            client.close()
        except OSError:
            pass

    # ---- Soak ----

    async def talk(self, number):
        while not self.over.is_set():
            tls = number % 4 == 0
            try:
                client = await lab.Client.connect(self.tls_port if tls else self.port, self.context if tls else None)
                for _ in range(self.random.randrange(1, 40)):
                    path = self.random.choice(["/a", "/b", f"/kept/{self.random.randrange(900)}", "/safe"])
                    if self.random.random() < 0.03:
                        path = self.random.choice(["/fail", "/cut"])
                    body = b"x" * self.random.choice([0, 10, 3000, 70000])
                    status, _, _ = await client.request("POST" if body else "GET", path, body)
                    self.count(str(status))
                    if self.over.is_set():
                        break
                client.close()
            except (OSError, asyncio.IncompleteReadError, ValueError):
                self.count("cut")
            await asyncio.sleep(0)

    async def stream(self):
        while not self.over.is_set():
            try:
                client = await lab.Client.connect(self.port)
                client.send("POST", "/stream", b'{"model":"m","stream":true,"messages":[]}', "Content-Type: application/json\r\n")
                status, fields = await client.head()
                if status == 200:
                    for _ in range(self.random.randrange(1, 20)):
                        if not await client.chunk():
                            break
                self.count(f"stream {status}")
                client.close()  # in the middle
            except (OSError, asyncio.IncompleteReadError, ValueError):
                self.count("stream cut")
            await asyncio.sleep(0.05)

    async def trouble(self):
        number = 0
        while not self.over.is_set():
            number += 1
            text = self.policy(number)
            await self.gateway.reload(text + "route nowhere { to = nobody }\n" if number % 10 == 0 else text)
            self.upstream.broken = number % 20 in (5, 6)
            await asyncio.sleep(1)
        self.upstream.broken = False

    async def run(self):
        options = self.options
        least = options.idle + options.loris + 4000
        wanted = 2 * least  # the gateway, which inherits the limit, needs two for each connection that it lets in
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, hard), max(wanted, hard)))  # root may raise it
        except (ValueError, PermissionError):
            if hard < least:
                raise lab.Failure(f"{least} open files are needed, and {hard} allowed: ulimit -n, or --idle") from None
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        fit = (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100) // 2
        if fit < options.idle + options.loris + 200:
            raise lab.Failure(f"with so few open files the gateway lets {fit} connections in: ulimit -n, or --idle {max(fit - options.loris - 200, 0) // 100 * 100}")
        authority = certificates.Authority()
        self.pair, self.authority = authority.issue("edge"), authority.authority
        self.context = authority.client_context()
        self.upstream = await lab.Upstream().start()
        self.secure = await lab.Upstream(authority.server_context(self.pair)).start()
        self.port, self.tls_port, self.admin_port = lab.free_port(), lab.free_port(), lab.free_port()
        self.gateway = await lab.Gateway(options.breakwater, self.policy(0)).start()

        await self.ordinary(1)
        quiet = percentile(await self.ordinary(options.quiet), 0.99)
        held = await self.crowd()
        loris = [asyncio.ensure_future(self.loris()) for _ in range(options.loris)]
        before = self.gateway.memory()
        greedy = await lab.Client.connect(self.port)
        greedy.send("GET", "/big")
        greedy.writer.transport.pause_reading()
        await asyncio.sleep(1)
        for_greedy = (self.gateway.memory() - before) / 1024
        crowded = percentile(await self.ordinary(options.quiet), 0.99)
        print(f"soak: ordinary requests: p99 {quiet * 1000:.2f} ms quiet, {crowded * 1000:.2f} ms beside {options.idle} idle connections, "
              f"{options.loris} slow clients and one that reads nothing of 64 MiB ({for_greedy:.0f} KiB)", flush=True)
        if crowded > 2 * quiet and not options.no_timing:
            self.problems.append(f"p99 went from {quiet * 1000:.2f} to {crowded * 1000:.2f} ms")
        if for_greedy > 2048 + options.loris * 16 and not options.no_timing:
            self.problems.append(f"a client that does not read costs {for_greedy:.0f} KiB")
        greedy.close()
        for client in held:
            client.close()
        await asyncio.sleep(1)

        began = lab.now()
        load = [asyncio.ensure_future(self.talk(i)) for i in range(24)]
        load += [asyncio.ensure_future(self.stream()) for _ in range(20)]
        load.append(asyncio.ensure_future(self.trouble()))
        samples = []
        while lab.now() - began < options.seconds:
            await asyncio.sleep(options.seconds / 60)
            samples.append((self.gateway.memory(), self.gateway.descriptors()))
            for task in load:
                if task.done():
                    task.result()  # its exception
        took = lab.now() - began
        self.over.set()
        self.upstream.end.set()
        await asyncio.wait_for(asyncio.gather(*load, *loris), 60)
        await asyncio.sleep(1)
        at_rest = self.gateway.descriptors()
        code = await self.gateway.stop()
        authority.remove()

        total = sum(self.counts.values())
        third = len(samples) // 3
        memory = lab.drift([item[0] for item in samples[third:]], 2)
        peak = [max(item[1] for item in part) for part in (samples[third:2 * third], samples[-third:])]
        drift = (memory[1] - memory[0]) / 1024
        if drift > options.drift_kib:
            self.problems.append(f"memory drifts by {drift:.0f} KiB")
        if peak[1] > peak[0] * 1.2 + 20:
            self.problems.append(f"descriptors grow from {peak[0]} to {peak[1]}")
        errors = {}
        for event in self.gateway.events:
            if event.get("level") == "error" and event["message"] not in FAULTS:
                errors[event["message"]] = errors.get(event["message"], 0) + 1
        for line in self.gateway.other:
            errors[line.strip()[:200]] = errors.get(line.strip()[:200], 0) + 1
        if errors:
            self.problems.append(f"errors in the log: {errors}")
        if code != 0:
            self.problems.append(f"exit code {code}")
        reloads = sum(1 for event in self.gateway.events if event.get("message") == "policy reloaded")
        print(f"soak: {took:.0f} s, {total / took:.0f} requests/s, {reloads} reloads; answers {dict(sorted(self.counts.items()))}")
        print(f"soak: memory {memory[0] / 1048576:.2f} MiB in the middle third, {memory[1] / 1048576:.2f} MiB in the last ({drift:+.0f} KiB); "
              f"descriptors at most {peak[0]} and {peak[1]}, {at_rest} at rest")
        print("soak: " + ("; ".join(self.problems) or "as it should be"))
        return 1 if self.problems else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("breakwater")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--quiet", type=float, default=10)
    parser.add_argument("--idle", type=int, default=10000)
    parser.add_argument("--loris", type=int, default=500)
    parser.add_argument("--drift-kib", type=int, default=4096)
    parser.add_argument("--no-timing", action="store_true")
    options = parser.parse_args()
    try:
        return asyncio.run(Soak(options).run())
    except lab.Failure as failure:
        print(f"soak: {failure}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
