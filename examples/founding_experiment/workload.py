"""What is asked and what goes wrong meanwhile. All of it is fixed before a run; README.md says why it is as it is.

Times are seconds of the model's world. A run makes them TIME_SCALE times as long: with 0.05 a minute lasts 3 s.
"""
import dataclasses
import random

SEEDS = (1, 2, 3, 4, 5)
TIME_SCALE = 0.05
PARALLEL = 8          # what Ollama serves at full speed; flaky_ollama's own default
ANSWERS_IN_A_ROW = 10  # so many good answers one after another, and the service is back
FLOOR_MODEL_ONLY = 0.90  # availability when no fallback counts as an answer; set before the first run


@dataclasses.dataclass(frozen=True)
class Workload:
    periods: int = 20
    period: float = 150.0

    # People come at random, and once in each period many at once: a lecture ends, a mail goes round.
    base_rate: float = 1.2       # a second
    surge_at: float = 75.0       # in the period
    surge_length: float = 6.0
    surge_smallest: int = 15     # people; the surges of a run differ, evenly between the two
    surge_largest: int = 29
    patience: float = 10.0       # then a person leaves

    # What they ask: a question of the list, or one that nobody else asks.
    frequent_share: float = 0.35
    frequent_questions: int = 100

    # Out-of-memory errors come in spells, as memory fills up.
    oom_rate: float = 0.01
    pressure_at: float = 120.0   # in the period
    pressure_length: float = 20.0
    pressure_oom_rate: float = 0.25

    # Ollama dies once, and nothing but a person brings it back: after 4.2 minutes, as the founding system's people did.
    outage_at: float = 1590.0
    outage_length: float = 252.0

    @property
    def length(self):
        return self.periods * self.period


FULL = Workload()
SMOKE_TIME_SCALE = 0.02
SMOKE = Workload(periods=4, outage_at=380.0, outage_length=50.0, frequent_questions=20)


@dataclasses.dataclass(frozen=True)
class Asked:
    at: float
    question: str
    frequent: bool


def requests(workload, seed):
    """Everything that is asked in a run, in order. The same seed gives the same list."""
    chance = random.Random(seed)
    times = []
    at = chance.expovariate(workload.base_rate)
    while at < workload.length:
        times.append(at)
        at += chance.expovariate(workload.base_rate)
    for number, size in enumerate(_surge_sizes(workload, chance)):
        begin = number * workload.period + workload.surge_at
        times += [begin + workload.surge_length * (person + chance.random()) / size for person in range(size)]
    asked = []
    for number, at in enumerate(sorted(times)):
        if chance.random() < workload.frequent_share:
            asked.append(Asked(at, f'Frequent question {chance.randrange(workload.frequent_questions)}', True))
        else:
            asked.append(Asked(at, f'Question {number} of nobody else', False))
    return asked


def _surge_sizes(workload, chance):
    steps = max(1, workload.periods - 1)
    sizes = [workload.surge_smallest + round((workload.surge_largest - workload.surge_smallest) * step / steps)
             for step in range(workload.periods)]
    chance.shuffle(sizes)
    return sizes


def oom_rates(workload):
    """(time, rate): when the rate of out-of-memory errors changes."""
    changes = []
    for number in range(workload.periods):
        begin = number * workload.period + workload.pressure_at
        changes += [(begin, workload.pressure_oom_rate), (begin + workload.pressure_length, workload.oom_rate)]
    return changes


def best_hit_rate(asked, ttl):
    """The share of frequent questions that a cache could answer at best: those asked before, at most `ttl` ago."""
    stored = {}
    hits = 0
    for request in asked:
        if request.frequent:
            if request.at - stored.get(request.question, -2 * ttl) < ttl:
                hits += 1
            else:
                stored[request.question] = request.at
    return hits / max(1, sum(request.frequent for request in asked))
