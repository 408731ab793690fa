#!/usr/bin/env python3
"""The founding experiment: the same people ask the same flaky Ollama, with and without the gateway. README.md tells the whole.

    experiment.py                     all seeds; prints the report (some minutes)
    experiment.py --write FILE        the same, into a file
    experiment.py --smoke             one short run that fails if a result has the wrong shape
"""
import argparse
import asyncio
import dataclasses
import gc
import http.client
import pathlib
import signal
import socket
import subprocess
import sys
import time

import load
import measure
import report
import scaled_policy
import workload as world

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
POLICIES = {'founding': ROOT / 'policies/qwen3-32b.policy', 'with': HERE / 'experiment.policy'}
SIDES = ('without', *POLICIES)
START_LIMIT = 60  # real seconds


class Failed(Exception):
    """The run is worth nothing, or its result has the wrong shape."""


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


class Servers:
    """One flaky_ollama for each side, and a gateway before it where there is one."""

    def __init__(self, build, folder, seed, scale, workload):
        self.build = build
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.flags = ['--seed', str(seed), '--time-scale', str(scale), '--oom-rate', str(workload.oom_rate)]
        self.scale = scale
        self.processes = []

    def start(self, side):
        """The port that people use, and Ollama's own."""
        ollama_port = self._start_ollama()
        return (self._start_gateway(side, ollama_port) if side in POLICIES else ollama_port), ollama_port

    def access_log(self, side):
        return self.folder / f'{side}.access.log'

    def stop(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = []

    def _start_ollama(self):
        process = subprocess.Popen([self.build / 'examples/flaky_ollama/flaky_ollama', '--port', '0', *self.flags],
                                   stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        line = process.stdout.readline()
        if not line.startswith('listening on '):
            raise Failed(f'flaky_ollama did not start: {line!r}')
        return int(line.rsplit(':', 1)[1])

    def _start_gateway(self, side, ollama_port):
        port = free_port()
        policy = scaled_policy.scaled(scaled_policy.without_tests(POLICIES[side].read_text(encoding='utf-8')), self.scale)
        path = self.folder / f'{side}.policy'
        path.write_text(scaled_policy.addressed(policy, port, ollama_port), encoding='utf-8')
        events = self.folder / f'{side}.events.log'
        with open(events, 'wb') as stderr, open(self.access_log(side), 'wb') as stdout:
            process = subprocess.Popen([self.build / 'cli/breakwater', 'run', path], stdout=stdout, stderr=stderr)
        self.processes.append(process)
        limit = time.monotonic() + START_LIMIT
        while not _is_ready(port):
            if process.poll() is not None or time.monotonic() > limit:
                raise Failed(f'the gateway did not start:\n{events.read_text(encoding="utf-8", errors="replace")}')
            time.sleep(0.02)
        return port


def _is_ready(port):
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=5)
    try:
        connection.request('GET', '/health/ready')
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@dataclasses.dataclass
class Run:
    seed: int
    figures: dict         # side → measure.Figures
    best_hit_rate: float
    late: float           # the most that a request was sent after its time, in real seconds


@dataclasses.dataclass
class Seen:
    """What there is when a run is over and its servers have not ended yet."""
    people: list
    down_at: dict
    up_at: dict
    late: float


async def run_once(asked, workload, scale, ports):
    clock = load.Clock(scale)
    people = [load.Side(side, port, clock) for side, (port, _) in ports.items()]
    ollamas = [load.Side(side, port, clock) for side, (_, port) in ports.items()]
    down_at, up_at = {}, {}
    breaking = [asyncio.create_task(_change_oom_rate(workload, ollamas, clock)),
                *(asyncio.create_task(_outage(workload, ollama, clock, down_at, up_at)) for ollama in ollamas)]
    late = await _ask_everything(asked, workload, people, clock)
    await asyncio.gather(*breaking)
    for side in (*people, *ollamas):
        side.close()
    return Seen(people, down_at, up_at, late)


def evaluate(seed, asked, seen, servers):
    found = {}
    for side in seen.people:
        log = None
        if side.name in POLICIES:
            log = measure.logged_in(servers.access_log(side.name).read_text(encoding='utf-8').splitlines(), servers.scale)
        found[side.name] = measure.figures(side.records, seen.down_at[side.name], seen.up_at[side.name], log)
    return Run(seed, found, world.best_hit_rate(asked, ttl=600.0), seen.late)


async def _ask_everything(asked, workload, people, clock):
    asking = set()
    late = 0.0
    for number, request in enumerate(asked):
        await clock.sleep_until(request.at)
        late = max(late, clock.real(clock.now() - request.at))
        for side in people:
            task = asyncio.create_task(side.ask(number, request, workload.patience))
            asking.add(task)
            task.add_done_callback(asking.discard)
    await asyncio.gather(*asking)
    return late


async def _change_oom_rate(workload, ollamas, clock):
    outage_end = workload.outage_at + workload.outage_length
    for at, rate in world.oom_rates(workload):
        if workload.outage_at <= at < outage_end:
            at = outage_end  # nobody can be told while nobody listens
        await clock.sleep_until(at)
        for ollama in ollamas:
            await ollama.wait_until_up()
            await ollama.control('/control', {'oom_rate': rate})


async def _outage(workload, ollama, clock, down_at, up_at):
    await clock.sleep_until(workload.outage_at)
    await ollama.control('/control/down', {'for_ms': round(clock.real(workload.outage_length) * 1000)})
    down_at[ollama.name] = clock.now()
    await clock.sleep_until(workload.outage_at + workload.outage_length / 2)
    await ollama.wait_until_up()
    up_at[ollama.name] = clock.now()


async def run_all(seeds, at_once, workload, scale, sides, build, folder):
    runs = []
    for begin in range(0, len(seeds), at_once):
        batch = seeds[begin:begin + at_once]
        asked = [world.requests(workload, seed) for seed in batch]
        servers = [Servers(build, folder / str(seed), seed, scale, workload) for seed in batch]
        try:
            # Nothing else happens in the loop while servers start and end: no clock runs then.
            ports = [{side: started.start(side) for side in sides} for started in servers]
            seen = await asyncio.gather(*(run_once(asks, workload, scale, its) for asks, its in zip(asked, ports)))
        finally:
            for started in servers:
                started.stop()
        runs += [evaluate(*parts) for parts in zip(batch, asked, seen, servers)]
    return runs


def check_shape(run):
    """What must come out however slow the machine is."""
    without, gateway = run.figures['without'], run.figures['with']

    def expect(condition, what):
        if not condition:
            raise Failed(f'{what}\nwithout: {without}\nwith: {gateway}')

    expect(without.got[load.TIMEOUT] > 0, 'a surge was expected to make people wait too long')
    expect(without.transient_500s > 0 and without.recovered == 0, 'without a gateway nothing should recover a 500')
    expect(without.got[load.CUT_OFF] > 0, 'the outage was expected to be seen')
    expect(gateway.available >= without.available + 0.05, 'more requests were expected to be answered')
    expect(gateway.available_model > without.available_model, 'more answers of the model were expected')
    expect(gateway.transient_500s > 0 and gateway.recovered >= 0.5, 'most 500s were expected to be recovered')
    expect(gateway.back is not None and gateway.back < 60, 'the service was expected to come back')
    expect(gateway.frequent_cached > 0.2, 'frequent questions were expected in the cache')
    expect(gateway.frequent_cached_mean < without.frequent_mean / 2, 'the cache was expected to be fast')


def build_type(build):
    for line in (build / 'CMakeCache.txt').read_text(encoding='utf-8').splitlines():
        if line.startswith('CMAKE_BUILD_TYPE:'):
            return line.split('=', 1)[1]
    return 'unknown'


def main():
    parser = argparse.ArgumentParser(description='The founding experiment')
    parser.add_argument('--build', default=ROOT / 'build/release', type=pathlib.Path, help='the folder of the build')
    parser.add_argument('--write', type=pathlib.Path, metavar='FILE', help='where the report goes, instead of standard output')
    parser.add_argument('--smoke', action='store_true', help='one short run; fails if a result has the wrong shape')
    parser.add_argument('--seeds', default=','.join(map(str, world.SEEDS)))
    parser.add_argument('--sides', default=','.join(SIDES), help='which of ' + ', '.join(SIDES))
    parser.add_argument('--at-once', type=int, default=5, help='how many seeds run beside one another')
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    for binary in ('cli/breakwater', 'examples/flaky_ollama/flaky_ollama'):
        if not (build / binary).exists():
            print(f'{build / binary} is missing. First: scripts/build release --target breakwater flaky_ollama', file=sys.stderr)
            return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    gc.disable()  # no pauses in the middle of a measurement; a run is short

    workload = world.SMOKE if arguments.smoke else world.FULL
    seeds = [1] if arguments.smoke else [int(seed) for seed in arguments.seeds.split(',')]
    sides = ('without', 'with') if arguments.smoke else arguments.sides.split(',')
    begin = time.monotonic()
    try:
        scale = world.SMOKE_TIME_SCALE if arguments.smoke else world.TIME_SCALE
        runs = asyncio.run(run_all(seeds, arguments.at_once, workload, scale, sides, build, build / 'founding_experiment'))
        if arguments.smoke:
            check_shape(runs[0])
    except Failed as failure:
        print(f'The experiment failed: {failure}', file=sys.stderr)
        return 1
    text = report.text(runs, workload, scale, sides, time.monotonic() - begin, build_type(build))
    if arguments.write:
        arguments.write.write_text(text, encoding='utf-8')
    else:
        print(text, end='')
    return 0


if __name__ == '__main__':
    sys.exit(main())
