#!/usr/bin/env python3
"""The parts of the experiment that need no server: the scaled policy, the load, and how figures are counted."""
import pathlib
import unittest

import experiment
import load
import measure
import report
import scaled_policy
import workload as world


def record(at, got=load.MODEL, took=2.0, parallel=1, frequent=False, id='', status=200):
    return load.Record(id or f'r{at}', at, frequent, parallel, took, got, status)


def figures(records, log=None, down_at=1e6, up_at=1e6):
    return measure.figures(records, down_at, up_at, log)


class ScaledPolicy(unittest.TestCase):
    def test_multiplies_times_and_nothing_else(self):
        self.assertEqual(scaled_policy.scaled('open when failures(60s) >= 5  # 15s\n wait = exponential(from: 500ms, factor: 2)', 0.02),
                         'open when failures(1200000us) >= 5  # 15s\n wait = exponential(from: 10000us, factor: 2)')
        for text in ('url = "http://x15s/2min"', 'replay_body = 64KiB', 'jitter: 25%', 'model_15s', '"a \\" 3s"'):
            self.assertEqual(scaled_policy.scaled(text, 0.02), text)

    def test_changes_no_line_of_a_policy_but_times_and_addresses(self):
        for path in experiment.POLICIES.values():
            before = scaled_policy.without_tests(path.read_text(encoding='utf-8')).splitlines()
            after = scaled_policy.addressed(scaled_policy.scaled('\n'.join(before), 0.02), 1, 2).splitlines()
            self.assertEqual(len(before), len(after))
            changed = [line.split()[0] for line, other in zip(before, after) if line != other]
            self.assertEqual(set(changed) - {'listen', 'admin', 'url', 'attempt_timeout', 'queue', 'wait', 'open', 'open_for', 'close',
                                             'ttl', 'deadline'}, set())

    def test_experiments_policy_only_adds_to_the_founding_one(self):
        def lines(name):
            text = scaled_policy.without_tests(experiment.POLICIES[name].read_text(encoding='utf-8'))
            return [code for line in text.splitlines() if (code := line.split('#')[0].strip())]
        added = lines('with')
        for line in lines('founding'):
            self.assertIn(line, added)
            added.remove(line)
        self.assertEqual([line.split()[0] for line in added], ['max_in_flight', 'queue', 'route', 'to', 'cache', 'deadline', 'allow', '}'])


class Load(unittest.TestCase):
    def test_same_seed_same_load(self):
        self.assertEqual(world.requests(world.FULL, 7), world.requests(world.FULL, 7))
        self.assertNotEqual(world.requests(world.FULL, 7), world.requests(world.FULL, 8))

    def test_is_what_the_constants_say(self):
        asked = world.requests(world.FULL, 1)
        self.assertEqual([request.at for request in asked], sorted(request.at for request in asked))
        self.assertLess(asked[-1].at, world.FULL.length)
        surges = world.FULL.periods * (world.FULL.surge_smallest + world.FULL.surge_largest) / 2
        self.assertAlmostEqual(len(asked), world.FULL.length * world.FULL.base_rate + surges, delta=250)
        frequent = [request.question for request in asked if request.frequent]
        self.assertAlmostEqual(len(frequent) / len(asked), world.FULL.frequent_share, delta=0.03)
        self.assertEqual(len(set(frequent)), world.FULL.frequent_questions)
        rare = [request.question for request in asked if not request.frequent]
        self.assertEqual(len(set(rare)), len(rare))

    def test_best_hit_rate_counts_what_was_asked_within_the_ttl(self):
        asked = [world.Asked(at, 'a', True) for at in (0, 5, 9, 11, 20, 22)] + [world.Asked(23, 'b', False)]
        self.assertAlmostEqual(world.best_hit_rate(asked, ttl=10), 3 / 6)  # 5, 9 after 0; 20 after 11

    def test_answers_are_what_they_say(self):
        good = b'{"message": {"content": "x"}, "done": true}'
        self.assertEqual(load._judge(200, {}, good), load.MODEL)
        self.assertEqual(load._judge(200, {'age': '3'}, good), load.CACHED)
        self.assertEqual(load._judge(200, {'age': '3', 'x-breakwater-fallback': 'c'}, good), load.CACHE_FALLBACK)
        self.assertEqual(load._judge(200, {}, b'{"is_fallback": true}'), load.FALLBACK)
        for status, content in ((500, good), (200, good[:-3]), (200, b'{"message": {"content": ""}, "done": true}'), (200, b'{}')):
            self.assertEqual(load._judge(status, {}, content), load.ERROR)


class Figures(unittest.TestCase):
    def test_availability_is_counted_twice(self):
        kinds = (load.MODEL, load.CACHED, load.CACHE_FALLBACK, load.FALLBACK, load.TIMEOUT, load.CUT_OFF, load.ERROR, load.MODEL)
        found = figures([record(at, got) for at, got in enumerate(kinds)])
        self.assertAlmostEqual(found.available, 5 / 8)
        self.assertAlmostEqual(found.available_model, 3 / 8)

    def test_timeouts_count_above_the_limit_only(self):
        found = figures([record(1, load.TIMEOUT, parallel=8), record(2, load.TIMEOUT, parallel=9), record(3, parallel=9)])
        self.assertAlmostEqual(found.timeouts_above_parallel, 1 / 2)

    def test_recovery_without_a_gateway_is_none(self):
        found = figures([record(1, load.ERROR, status=500), record(2), record(3, load.CUT_OFF, status=0)])
        self.assertEqual((found.transient_500s, found.recovered), (1, 0.0))

    def test_recovery_is_read_from_the_attempts(self):
        records = [record(1, id='a', took=4.0), record(2, load.FALLBACK, id='b'), record(3, id='c'), record(4, id='d', took=9, parallel=9)]
        log = ['{"request_id": "a", "duration_ms": 80, "attempts": [{"status": 500}, {"status": 200}]}',
               '{"request_id": "d", "duration_ms": 180, "attempts": [{"status": 200}]}',
               '{"request_id": "b", "duration_ms": 60, "attempts": [{"status": 500}, {"status": 500}, {"error": "refused"}]}']
        found = figures(records, measure.logged_in(log, scale=0.02))
        self.assertEqual((found.transient_500s, found.recovered, found.recovery_costs), (2, 0.5, 2.0))

    def test_the_gateways_own_time_is_read_from_its_log(self):
        records = [record(1, load.CACHED, id='a', took=0.5, frequent=True), record(2, id='b', frequent=True)]
        log = measure.logged_in(['{"request_id": "a", "duration_ms": 2, "attempts": []}',
                                 '{"request_id": "b", "duration_ms": 50, "attempts": [{"status": 200}]}'], scale=0.02)
        found = figures(records, log)
        self.assertEqual((found.frequent_cached, found.frequent_cached_mean), (0.5, 0.5))
        self.assertAlmostEqual(found.frequent_cached_own, 0.1)

    def test_service_is_back_with_the_first_of_a_row(self):
        row = world.ANSWERS_IN_A_ROW
        records = [record(at, load.CUT_OFF, took=0) for at in range(100, 110)]
        records += [record(110), record(111, load.FALLBACK)] + [record(112 + at, load.CACHED if at % 2 else load.MODEL)
                                                                for at in range(2 * row)]
        found = figures(records, down_at=100, up_at=105)
        self.assertAlmostEqual(found.served_again, 110 + 2 - 100)
        self.assertAlmostEqual(found.back, 112 + 2 - 105)
        self.assertIsNone(figures(records[:-2 * row + 5], down_at=100, up_at=105).back)


class Report(unittest.TestCase):
    def test_says_what_was_missed(self):
        def run(*gots):
            return experiment.Run(1, {'with': figures([record(at, got) for at, got in enumerate(gots)])}, 0.7, 0.0)
        available = report.HEADLINES[0]
        good, bad = run(load.MODEL, load.FALLBACK), run(load.MODEL, load.TIMEOUT)
        self.assertEqual(report._verdict(available, [good, good, good], ['with']), 'reached')
        self.assertEqual(report._verdict(available, [good, good, bad], ['with']), 'reached; in 1 of 3 runs not')
        self.assertEqual(report._verdict(available, [good, bad, bad], ['with']), '**missed**')


if __name__ == '__main__':
    unittest.main(argv=[str(pathlib.Path(__file__).name)])
