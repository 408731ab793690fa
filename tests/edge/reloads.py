#!/usr/bin/env python3
"""Many reloads under load: no request fails, no stream breaks, nothing that is known is forgotten, memory stays.

    reloads.py BREAKWATER [--reloads 1000] [--streams 200] [--clients 20] [--drift-kib 1024]
    reloads.py BREAKWATER --plant breaker|window|queue|cache|budget|stream|request     a fault that the run must find; exit code 0 if it does

Two workers. Each policy has another hash: thresholds, routes, addresses, listeners and certificates change in turn; every tenth one is broken
and must be refused. At each reload there are an open breaker, three failures in a window, five waiters, fifty cache entries and half a budget.
Streams end and begin all the time, so that many policies are alive at once; in the end there is one.
"""
import argparse
import asyncio
import json
import os
import re
import sys

import certificates
import lab


class Story:
    def __init__(self, options):
        self.options = options
        self.failed = []       # what clients saw that they must not
        self.good = 0
        self.handshakes = 0
        self.shown = {}        # names of the certificates, and how often each was
        self.over = asyncio.Event()
        self.planted = False

    # ---- The policies ----

    def policy(self, number, lost=None):
        def name(kind, text):  # another name is another object: what is known of it is lost, as by a fault
            return text + "_other" if lost == kind else text
        extra = "".join(f'route extra{i} {{ when request.path == "/extra/{number}/{i}"  to = plain }}\n' for i in range(number % 4))
        listen = [f'"127.0.0.1:{self.ports[0]}"'] + ([f'"127.0.0.1:{self.ports[1 + number % 2]}"'] if number % 3 else [])
        moved = self.upstreams[number % 2].url
        pair = self.pairs[number // 2 % 2]
        return f"""edition 1
# {number}
gateway {{
  listen = [{", ".join(listen)}]
  listen_tls = "127.0.0.1:{self.tls_port}"
  tls = [edge]
  admin = "127.0.0.1:{self.admin_port}"
  drain = {10 + number % 5}s
}}
tls edge {{ certificate = "{pair[0]}"  key = "{pair[1]}" }}
cache {name("cache", "kept")} {{ key = "k ${{request.path}}"  ttl = {1 + number % 20}h  shared = true }}
upstream {name("breaker", "broken")} {{ url = "{self.url}"  breaker {{ open when failures(60s) >= {1 + number % 3}  open_for = {1 + number % 20}h }} }}
upstream {name("window", "counted")} {{ url = "{self.url}"  breaker {{ open when failures({20 + number % 4}h) >= {(4, 9, 2, 6)[number % 4] if number else 5} }} }}
upstream {name("queue", "narrow")} {{ url = "{self.url}"  attempt_timeout = 5h  timeouts {{ stall = 5h }}  max_in_flight = 1  queue {{ length = {5 + number % 9}  timeout = {30 + number % 20}min }} }}
upstream {name("budget", "spent")} {{
  url = "{self.url}"
  repeat_safe = true
  retry {{ max_retries = 1  when status == 500  wait = exponential(from: 1ms, factor: 2, cap: 2ms)  budget = {1 + number % 30}% }}
}}
upstream moved {{ url = "{moved}" }}
upstream plain {{ url = "{self.url}"  repeat_safe = true  attempt_timeout = {10 + number % 9}min  timeouts {{ idle = 10min }} }}
route broken  {{ when request.path == "/broken"   to = {name("breaker", "broken")} }}
route counted {{ when request.header["X-Counted"] == "yes"  to = {name("window", "counted")} }}
route spent   {{ when request.header["X-Spent"] == "yes"  to = {name("budget", "spent")} }}
route kept    {{ when request.path starts_with "/kept/"  to = plain  cache = {name("cache", "kept")} }}
route slow    {{ when request.path == "/slow"     to = {name("queue", "narrow")} }}
route moved   {{ when request.path == "/moved"    to = moved }}
{extra}route all {{ to = plain }}
"""

    # ---- What is known ----

    async def make_state(self):
        client = await lab.Client.connect(self.ports[0])
        for _ in range(3):
            await client.request("GET", "/fail", headers="X-Counted: yes\r\n")
        for i in range(50):
            status, _, _ = await client.request("GET", f"/kept/{i}")
            lab.hold(status == 200, "no answer to keep")
        self.upstreams[0].broken = True
        await client.request("GET", "/broken")
        for _ in range(5):  # five of the ten retries that a fresh budget has
            await client.request("GET", "/x", headers="X-Spent: yes\r\n")
        self.upstreams[0].broken = False
        client.close()
        for _ in range(6):
            waiting = await lab.Client.connect(self.ports[0])
            waiting.send("GET", "/slow")
            self.waiting.append(waiting)
        while (await self.gateway.metrics()).get('queue_length{upstream="narrow"}') != 5:
            await asyncio.sleep(0.02)

    async def known(self):
        metrics, health = await self.gateway.metrics(), await self.gateway.health()
        broken, counted = health.get("broken", {}), health.get("counted", {})
        return {
            "breaker": (broken.get("state"), broken.get("generation"), broken.get("last_failure_time")),
            "window": (counted.get("state"), counted.get("failure_count"), counted.get("generation")),
            "queue": metrics.get('queue_length{upstream="narrow"}'),
            "cache": metrics.get('cache_entries{cache="kept"}'),
            "budget": metrics.get('retry_budget_available{upstream="spent"}'),
        }

    # ---- Load ----

    def fail(self, *what):
        self.failed.append(" ".join(str(part) for part in what))

    async def ask(self, number):
        client = await lab.Client.connect(self.ports[0])
        paths = ["/hello", "/moved", "/kept/7", "/elsewhere"]
        try:
            while not self.over.is_set():
                path = paths[(number + self.good) % 4]
                if self.options.plant == "request" and self.good > 30 and not self.planted:
                    self.planted, path = True, "/cut"
                status, _, _ = await client.request("GET", path)
                if status != 200:
                    self.fail("a request got", status, path)
                self.good += 1
                await asyncio.sleep(0.01)
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            self.fail("a kept connection ended:", repr(error))
        client.close()

    async def shake_hands(self, context):
        while not self.over.is_set():
            try:
                client = await lab.Client.connect(self.tls_port, context)
                subject = client.writer.get_extra_info("peercert")["subject"][0][0][1]
                self.shown[subject] = self.shown.get(subject, 0) + 1
                status, _, _ = await client.request("GET", "/hello", headers="Connection: close\r\n")
                client.close()
                if status != 200:
                    self.fail("a request over TLS got", status)
                self.handshakes += 1
            except (OSError, asyncio.IncompleteReadError) as error:
                self.fail("a handshake failed:", repr(error))
            await asyncio.sleep(0.02)

    async def stream(self, end):
        """Reads until `end`; then the upstream is told, and the stream must be whole."""
        client = await lab.Client.connect(self.ports[0])
        expected = 0
        try:
            client.send("POST", "/stream", b'{"model":"m","stream":true,"messages":[]}', "Content-Type: application/json\r\n")
            status, _ = await client.head()
            if status != 200:
                return self.fail("a stream got", status)
            text = b""
            done = False
            while chunk := await client.chunk():
                text += chunk
                while b"\n" in text:
                    line, text = text.split(b"\n", 1)
                    item = json.loads(line)
                    number = item["message"]["content"].strip()
                    if number != str(expected):
                        self.fail("a stream said", number, "and not", expected)
                    expected += 1
                    done = done or item["done"]
                if end.is_set() and not self.over.is_set():
                    break  # this client leaves
            if not end.is_set() and not done:
                self.fail("a stream ended without its end")
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            self.fail("a stream broke:", repr(error))
        finally:
            client.close()

    # ---- The run ----

    async def run(self):
        options = self.options
        self.upstreams = [await lab.Upstream().start(), await lab.Upstream().start()]
        self.url = self.upstreams[0].url
        self.ports = [lab.free_port() for _ in range(3)]
        self.tls_port, self.admin_port = lab.free_port(), lab.free_port()
        authority = certificates.Authority()
        linked = [authority.issue(name) for name in ("linked-one", "linked-two")]
        self.pairs = [authority.issue("named"), authority.link(linked[0])]
        self.waiting = []
        self.gateway = lab.Gateway(options.breakwater, self.policy(0))
        await self.gateway.start()
        self.upstreams[0].cuts_streams = options.plant == "stream"
        await self.make_state()
        before = await self.known()
        lab.hold(before["breaker"][0] == "OPEN" and before["window"][:2] == ("CLOSED", 3) and before["queue"] == 5 and before["cache"] == 50
                 and before["budget"] == 5, "the state before the first reload:", before)
        load = [asyncio.ensure_future(self.ask(i)) for i in range(options.clients)]
        load.append(asyncio.ensure_future(self.shake_hands(authority.client_context())))
        streams, left_streams = [], []

        async def begin_stream():
            end = asyncio.Event()
            streams.append((asyncio.ensure_future(self.stream(end)), end))
        for _ in range(options.streams):
            await begin_stream()
        hashes, refused, memory = set(), 0, []
        began = lab.now()
        lost = {}
        for number in range(1, options.reloads + 1):
            is_broken = number % 10 == 0
            if number % 5 == 0:  # under load, and whatever the policy shows now
                authority.link(linked[number // 5 % 2])
            plants = options.plant if number == 3 else None
            text = self.policy(number, plants)
            event = await self.gateway.reload(text + "route nowhere { to = nobody }\n" if is_broken else text)
            lab.hold((event["message"] == "reload refused") == is_broken, "reload", number, event)
            refused += is_broken
            hashes.add(event["policy"])
            after = await self.known()
            for kind, value in before.items():
                if after[kind] != value:
                    lost.setdefault(kind, f"reload {number}: {kind} was {value} and is {after[kind]}")
            if lost or self.failed:
                break
            if options.plant in ("stream", "request"):
                await asyncio.sleep(0.3)
            if streams:  # the oldest goes, another begins under this policy
                left_streams.append(streams.pop(0))
                left_streams[-1][1].set()
                await begin_stream()
            if number % 10 == 0 or number == options.reloads:
                memory.append((number, self.gateway.memory(), self.gateway.descriptors()))
                if options.trace:
                    print(f"reloads: {number}: {memory[-1][1] // 1024} KiB, {memory[-1][2]} descriptors", flush=True)
            if number % 100 == 0:
                print(f"reloads: {number} of {options.reloads}, {self.good} requests, {self.handshakes} handshakes, "
                      f"{memory[-1][1] / 1048576:.1f} MiB, {lab.now() - began:.0f} s", flush=True)
        took = lab.now() - began
        alive = (await self.gateway.metrics())["policies_alive"]
        self.over.set()
        for upstream in self.upstreams:
            upstream.go.set()
            upstream.end.set()
        await asyncio.wait_for(asyncio.gather(*load), 60)
        await asyncio.wait_for(asyncio.gather(*(task for task, _ in streams + left_streams)), 60)
        for waiting in self.waiting:
            try:
                status, _ = await asyncio.wait_for(waiting.head(), 30)
            except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
                status = repr(error)
            if status != 200:
                self.fail("who waited got", status)
            waiting.close()
        for _ in range(200):
            left = (await self.gateway.metrics())["policies_alive"]
            if left == 1:
                break
            await asyncio.sleep(0.1)
        code = await self.gateway.stop()
        authority.remove()

        problems = list(lost.values()) + self.failed[:5]
        if options.plant:
            found = options.plant in lost or (options.plant in ("stream", "request") and self.failed)
            others = set(lost) - {options.plant}
            print(f"reloads: planted loss of {options.plant}: {'found' if found else 'NOT FOUND'}: {problems[:2]}")
            return 0 if found and not others else 1
        if left != 1:
            problems.append(f"{left} policies are alive in the end")
        if code != 0:
            problems.append(f"exit code {code}")
        if options.reloads >= 100 and set(self.shown) != {"named", "linked-one", "linked-two"}:
            problems.append(f"certificates shown: {self.shown}")
        # Once each stream slot has been taken anew the number of policies alive does not grow any more.
        warm = [item for item in memory if item[0] > options.streams + 50]
        if len(warm) > 10:
            first, last = lab.drift([item[1] for item in warm])
            drift = (last - first) / 1024
            print(f"reloads: memory {first / 1048576:.2f} MiB in the first third after warming up, {last / 1048576:.2f} MiB in the last: "
                  f"{drift:+.0f} KiB; descriptors {warm[0][2]} and {warm[-1][2]}")
            if drift > options.drift_kib:
                problems.append(f"memory drifts by {drift:.0f} KiB")
        print(f"reloads: {options.reloads} ({refused} refused as they had to be), {len(hashes)} hashes, {took:.0f} s, {self.good} requests, "
              f"{self.handshakes} handshakes ({', '.join(f'{count} of {name}' for name, count in sorted(self.shown.items()))}), {alive:.0f} policies alive at once; {'; '.join(problems) or 'nothing lost, nothing failed'}")
        return 1 if problems else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("breakwater")
    parser.add_argument("--reloads", type=int, default=1000)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--drift-kib", type=int, default=1024)
    parser.add_argument("--trace", action="store_true", help="print what memory and descriptors were, every ten reloads")
    parser.add_argument("--plant", choices=["breaker", "window", "queue", "cache", "budget", "stream", "request"])
    options = parser.parse_args()
    try:
        return asyncio.run(Story(options).run())
    except lab.Failure as failure:
        print(f"reloads: {failure}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
