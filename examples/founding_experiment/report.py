"""The report: what was measured, beside what the founding system measured. Every figure comes from the runs."""
import dataclasses
import os
import platform
import statistics
from collections.abc import Callable

import load
import workload as world

COMMAND = 'python3 examples/founding_experiment/experiment.py --write docs/founding-experiment.md'


@dataclasses.dataclass(frozen=True)
class Row:
    what: str
    founding: str
    value: Callable      # Figures → number or None
    unit: Callable       # number → text
    target: float | None = None
    at_least: bool = True
    of: str = 'with'     # the side that the target is for
    within: float | None = None  # the target is a figure to land on, with this much room


def percent(share):
    return f'{100 * share:.1f} %'


def seconds(time):
    return f'{time:.1f} s' if abs(time) < 100 else f'{time / 60:.1f} min'


def milliseconds(time):
    return f'{1000 * time:.0f} ms' if time < 1 else f'{time:.1f} s'


# What the load and the faults must come to before the rest means anything.
CALIBRATION = (
    Row('available', '82 %', lambda f: f.available, percent, 0.82, of='without', within=0.02),
    Row(f'timeouts among requests that make more than {world.PARALLEL} in flight', '37 %',
        lambda f: f.timeouts_above_parallel, percent, 0.37, of='without', within=0.02),
    Row(f'mean answer, up to {world.PARALLEL} in flight', '2.3 s', lambda f: f.mean_below_parallel, seconds),
    Row(f'mean answer, beyond {world.PARALLEL}', '6.8 s', lambda f: f.mean_above_parallel, seconds),
    Row('mean answer to a frequent question', '3.1 s', lambda f: f.frequent_mean, seconds),
)

HEADLINES = (
    Row('available, any useful answer', '82 % → 99.3 %', lambda f: f.available, percent, 0.993),
    Row('available, answers of the model only', '–', lambda f: f.available_model, percent, world.FLOOR_MODEL_ONLY),
    Row('transient 500s recovered', '0 % → 89 %', lambda f: f.recovered, percent, 0.89),
    Row('… which took longer, on average, by', '– → 1.3 s', lambda f: f.recovery_costs, seconds),
    Row('useful answers again after an outage began', '4.2 min → –', lambda f: f.served_again, seconds),
    Row('Ollama\'s answers again after it came back', '– → 23 s', lambda f: f.back, seconds, 23.0, at_least=False),
    Row('frequent questions answered from the cache', '– → 63 %', lambda f: f.frequent_cached, percent, 0.63),
    Row('… mean time of those', '3.1 s → 86 ms', lambda f: f.frequent_cached_mean, milliseconds, 0.086, at_least=False),
    Row('… of which the gateway itself, by its log', '–', lambda f: f.frequent_cached_own, milliseconds),
)

COLUMNS = {'without': 'without', 'founding': 'founding policy', 'with': 'experiment\'s policy'}


def text(runs, workload, scale, sides, took, build_type):
    several = len(runs) > 1
    seeds = ', '.join(str(run.seed) for run in runs)
    out = ['# The founding experiment', '',
           f'Made by `{COMMAND}`. [examples/founding_experiment](../examples/founding_experiment/README.md) tells what is asked, what '
           'goes wrong, how each figure is counted and how the policies differ.', '',
           f'{len(runs)} run{"s with the seeds" if several else " with the seed"} {seeds}, '
           f'{min(run.figures[sides[0]].requests for run in runs)} requests or more in each, over {seconds(workload.length)}. '
           f'Times are those of the model\'s world, {1 / scale:.0f} times as fast as ours; the gateway\'s own time, which '
           f'nothing scales, counts {1 / scale:.0f} times.'
           + (' Each cell: median (least – most).' if several else ''), '',
           '## Does the load do what the founding system saw?', '']
    out += _table(CALIBRATION, runs, sides, 'wanted of *without*')
    out += ['', '## The headline results', '']
    out += _table(HEADLINES, runs, sides, 'target')
    out += ['', 'Targets are those of the experiment\'s policy. The outage lasts as long as the founding system\'s people needed to notice one, '
            'for all sides: that figure goes in, and does not come out.', '',
            '## What people got', '']
    out += _answers(runs, sides)
    out += ['', '## Each run', '']
    out += _each_run(runs, sides)
    out += ['', f'At best, a cache could have answered {_cell([run.best_hit_rate for run in runs], percent)} of the frequent questions: '
            'those asked before, and not too long ago. '
            f'No request was sent more than {1000 * max(run.late for run in runs):.0f} ms (of our world) after its time. '
            f'{took:.0f} s on {os.cpu_count()} CPUs, {platform.system()} {platform.machine()}, build type {build_type}.']
    return '\n'.join(out) + '\n'


def _values(row, runs, side):
    return [value for run in runs if (value := row.value(run.figures[side])) is not None]


def _cell(values, unit):
    if not values:
        return '–'
    middle = unit(statistics.median(values))
    return middle if len(values) == 1 else f'{middle} ({unit(min(values))} – {unit(max(values))})'


def _table(rows, runs, sides, target):
    lines = [f'| what | founding figures | {" | ".join(COLUMNS[side] for side in sides)} | {target} | |',
             '|---' * (len(sides) + 4) + '|']
    for row in rows:
        cells = [_cell(_values(row, runs, side), row.unit) for side in sides]
        lines.append(f'| {row.what} | {row.founding} | {" | ".join(cells)} | {_target(row)} | {_verdict(row, runs, sides)} |')
    return lines


def _target(row):
    if row.target is None:
        return ''
    if row.within is not None:
        return f'{row.unit(row.target)} ± {100 * row.within:.0f} points'
    return f'{"≥" if row.at_least else "≤"} {row.unit(row.target)}'


def _verdict(row, runs, sides):
    if row.target is None or row.of not in sides:
        return ''
    values = _values(row, runs, row.of)
    if len(values) < len(runs):
        return 'missed: not in every run was there anything to measure'
    met = [_meets(row, value) for value in values]
    if not _meets(row, statistics.median(values)):
        return '**missed**'
    return 'reached' if all(met) else f'reached; in {len(met) - sum(met)} of {len(met)} runs not'


def _meets(row, value):
    if row.within is not None:
        return abs(value - row.target) <= row.within
    return value >= row.target if row.at_least else value <= row.target


def _answers(runs, sides):
    kinds = (*load.SERVED, load.TIMEOUT, load.CUT_OFF, load.ERROR)
    lines = [f'| | {" | ".join(kinds)} |', '|---' * (len(kinds) + 1) + '|']
    for side in sides:
        total = sum(run.figures[side].requests for run in runs)
        shares = [percent(sum(run.figures[side].got[kind] for run in runs) / total) for kind in kinds]
        lines.append(f'| {COLUMNS[side]} | {" | ".join(shares)} |')
    return lines


def _each_run(runs, sides):
    rows = (*CALIBRATION[:2], *HEADLINES[1:])
    lines = []
    for side in sides:
        lines += [f'| {COLUMNS[side]} | {" | ".join(f"seed {run.seed}" for run in runs)} |', '|---' * (len(runs) + 1) + '|',
                  f'| requests | {" | ".join(str(run.figures[side].requests) for run in runs)} |']
        for row in rows:
            values = [row.value(run.figures[side]) for run in runs]
            lines.append(f'| {row.what} | {" | ".join("–" if value is None else row.unit(value) for value in values)} |')
        lines.append('')
    return lines[:-1]
