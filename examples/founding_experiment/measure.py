"""From what people got to the figures of the table. Pure: records in, numbers out."""
import dataclasses
import json
import statistics

import load
import workload as world


@dataclasses.dataclass
class Figures:
    """Of one side in one run. Shares go from 0 to 1, times are seconds of the model's world; None: nothing to measure."""
    requests: int
    available: float              # any answer, fallbacks included
    available_model: float        # answers of the model only, from Ollama or from a cache asked first
    timeouts_above_parallel: float | None
    mean_below_parallel: float | None
    mean_above_parallel: float | None
    transient_500s: int           # requests that met at least one
    recovered: float | None
    recovery_costs: float | None  # mean seconds more than answers at the first try
    served_again: float | None    # after the outage's beginning
    back: float | None            # Ollama's own answers, after Ollama came back
    frequent_cached: float
    frequent_cached_mean: float | None
    frequent_cached_own: float | None   # the same by the gateway's own log: without what the client needs for itself
    frequent_mean: float | None   # of all frequent questions that were answered
    got: dict


def figures(records, down_at, up_at, log=None):
    """`log`: what a gateway's access log says of each request id (see logged_in); without a gateway None."""
    records = sorted(records, key=lambda record: record.at)
    above = [record for record in records if record.parallel > world.PARALLEL]
    below = [record for record in records if record.parallel <= world.PARALLEL]
    frequent = [record for record in records if record.frequent]
    cached = [record for record in frequent if record.got == load.CACHED]
    hit = [record for record in records if 500 in (log[record.id].statuses if log and record.id in log else [record.status])]
    own = [log[record.id].took for record in cached if log and record.id in log]
    recovered = [record for record in hit if record.got == load.MODEL]
    return Figures(
        requests=len(records),
        available=_share(records, load.SERVED),
        available_model=_share(records, load.FROM_THE_MODEL),
        timeouts_above_parallel=_share(above, (load.TIMEOUT,)),
        mean_below_parallel=_mean(below, load.MODEL),
        mean_above_parallel=_mean(above, load.MODEL),
        transient_500s=len(hit),
        recovered=len(recovered) / len(hit) if hit else None,
        recovery_costs=_recovery_costs(below, hit),
        served_again=_first_of_a_row([r for r in records if r.at >= down_at], load.SERVED, down_at),
        back=_first_of_a_row([r for r in records if r.at + r.took >= up_at and r.got != load.CACHED], (load.MODEL,), up_at),
        frequent_cached=len(cached) / max(1, len(frequent)),
        frequent_cached_mean=_mean(cached, load.CACHED),
        frequent_cached_own=statistics.fmean(own) if own else None,
        frequent_mean=_mean(frequent, *load.SERVED),
        got={kind: sum(record.got == kind for record in records)
             for kind in (*load.SERVED, load.TIMEOUT, load.CUT_OFF, load.ERROR)})


def _share(records, kinds):
    return sum(record.got in kinds for record in records) / len(records) if records else None


def _mean(records, *kinds):
    times = [record.took for record in records if record.got in kinds]
    return statistics.fmean(times) if times else None


def _recovery_costs(below, hit):
    # Both kinds of answers as they came in calm times: else a surge would be counted as the price of a retry.
    hit_ids = {record.id for record in hit}
    retried = _mean([record for record in below if record.id in hit_ids], load.MODEL)
    first_try = _mean([record for record in below if record.id not in hit_ids], load.MODEL)
    return retried - first_try if retried is not None and first_try is not None else None


def _first_of_a_row(records, kinds, since):
    """When the first of so many in a row was answered, counted from `since`."""
    row = []
    for record in records:
        row = row + [record] if record.got in kinds else []
        if len(row) == world.ANSWERS_IN_A_ROW:
            return row[0].at + row[0].took - since
    return None


@dataclasses.dataclass
class Logged:
    statuses: list   # of the attempts; None where there was no answer
    took: float      # seconds of the model's world


def logged_in(access_log, scale):
    """Request id → what the lines of a gateway's access log say of it."""
    found = {}
    for line in access_log:
        entry = json.loads(line)
        statuses = [attempt.get('status') for attempt in entry['attempts']]
        found[entry['request_id']] = Logged(statuses, entry['duration_ms'] / 1000 / scale)
    return found
