#!/usr/bin/env python3
"""Every query of the committed board against a real Prometheus that scrapes a gateway under load: each returns a sample that is not
zero, and counters equal what the clients counted. The rules are checked and tested by promtool, with series that a scrape has.

usage: prometheus_test.py BREAKWATER FLAKY_OLLAMA SOURCE_DIR
"""
import bisect
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

import observe

BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0]
WINDOW = "15s"

# For each alert: series that make it fire and series that don't, as promtool writes values (a step a minute), and when to look.
RATE = "0+60x120"
FEW = "0+0.3x120"  # of a quiet night: a share of so little wakes nobody
REOPENS = " ".join(["2", "1"] * 15)     # half-open at every other look, and never closed
RECOVERS = " ".join(["2", "1", "0"] * 10)
ALERTS = {
    "BreakwaterBreakerOpensOften": ({'breakwater_circuit_breaker_open_total{service="down"}': "0 1 2 3 4x120"},
                                    {'breakwater_circuit_breaker_open_total{service="down"}': "0 1 2x120"}),
    "BreakwaterBreakerOpen": ({'breakwater_breaker_state{upstream="down"}': REOPENS},
                              {'breakwater_breaker_state{upstream="down"}': RECOVERS}),
    "BreakwaterBreakerStuckHalfOpen": ({'breakwater_breaker_state{upstream="down"}': "1x120", 'breakwater_breaker_rejected_total{upstream="down"}': RATE},
                                       {'breakwater_breaker_state{upstream="down"}': "1x120", 'breakwater_breaker_rejected_total{upstream="down"}': "5x120"}),
    "BreakwaterRetriesAreMany": ({'breakwater_upstream_retry_total{upstream="ollama"}': "0+6x120", 'breakwater_requests_total{route="chats",status="200",served_by="ollama"}': RATE},
                                 {'breakwater_upstream_retry_total{upstream="ollama"}': "0+0.1x120", 'breakwater_requests_total{route="chats",status="200",served_by="ollama"}': FEW}),
    "BreakwaterFallbacksAreMany": ({'breakwater_fallback_response_total{fallback="sorry"}': "0+1x120", 'breakwater_requests_total{route="chats",status="200",served_by="ollama"}': RATE},
                                   {'breakwater_fallback_response_total{fallback="sorry"}': "0+0.1x120", 'breakwater_requests_total{route="chats",status="200",served_by="ollama"}': FEW}),
    "BreakwaterIsSlow": ({'breakwater_request_duration_seconds_bucket{le="5.0"}': "0+50x120", 'breakwater_request_duration_seconds_count': RATE},
                         {'breakwater_request_duration_seconds_bucket{le="5.0"}': "0+0.2x120", 'breakwater_request_duration_seconds_count': FEW}),
    "BreakwaterAnswersAreCut": ({'breakwater_stream_end_total{how="cut"}': "0+2x120", 'breakwater_stream_end_total{how="complete"}': RATE, 'breakwater_stream_end_total{how="own"}': "0+600x120"},
                                {'breakwater_stream_end_total{how="cut"}': "0+0.1x120", 'breakwater_stream_end_total{how="complete"}': FEW}),
    "BreakwaterQueueRefuses": ({'breakwater_queue_refused_total{upstream="ollama",reason="queue_full"}': "0+1x120"},
                               {'breakwater_queue_refused_total{upstream="ollama",reason="queue_full"}': "7x120"}),
    "BreakwaterErrorsOfItsOwn": ({'breakwater_requests_total{route="late",status="502",served_by="gateway"}': "0+1x120", 'breakwater_requests_total{route="chats",status="200",served_by="ollama"}': RATE},
                                 {'breakwater_requests_total{route="late",status="502",served_by="gateway"}': "3x120", 'breakwater_requests_total{route="chats",status="200",served_by="ollama"}': RATE}),
    "BreakwaterUsersGetErrors": ({'breakwater_requests_total{route="odd",status="500",served_by="odd"}': "0+6x120", 'breakwater_requests_total{route="chats",status="200",served_by="ollama"}': RATE},
                                 {'breakwater_requests_total{route="odd",status="500",served_by="odd"}': "0+1x120", 'breakwater_requests_total{route="chats",status="200",served_by="ollama"}': RATE}),
    "BreakwaterLogLinesAreLost": ({'breakwater_log_lines_dropped_total': "0+5x120"}, {'breakwater_log_lines_dropped_total': "5x120"}),
    "BreakwaterReloadRefused": ({'breakwater_policy_last_reload_successful': "0x120"}, {'breakwater_policy_last_reload_successful': "1 0 0 1x120"}),
    "BreakwaterCertificateEndsSoon": ({'breakwater_certificate_not_after_seconds{tls="edge"}': "1000000x120"},
                                      {'breakwater_certificate_not_after_seconds{tls="edge"}': "9000000x120"}),
    "BreakwaterIsDown": ({'up{job="breakwater"}': "0x120"}, {'up{job="breakwater"}': "1x120"}),
    "BreakwaterFileDescriptorsRunOut": ({'process_open_fds{job="breakwater"}': "900x120", 'process_max_fds{job="breakwater"}': "1024x120"},
                                        {'process_open_fds{job="breakwater"}': "100x120", 'process_max_fds{job="breakwater"}': "1024x120"}),
}


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, **more)


class Prometheus:
    def __init__(self, folder, target):
        self.port = observe.free_port()
        with open(os.path.join(folder, "prometheus.yml"), "w") as config:
            config.write("global: { scrape_interval: 500ms }\nscrape_configs:\n  - job_name: breakwater\n    static_configs: "
                         f"[{{ targets: ['127.0.0.1:{target}'] }}]\n")
        self.log = open(os.path.join(folder, "prometheus.log"), "wb")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
             f"--web.listen-address=127.0.0.1:{self.port}", "--enable-feature=exemplar-storage"], stdout=self.log, stderr=self.log)
        observe.wait_for("Prometheus", lambda: observe.answers(self.port, "/-/ready"))

    def query(self, query):
        answer = observe.answers(self.port, "/api/v1/query?query=" + urllib.parse.quote(query))
        if answer is None:
            return None
        return [float(sample["value"][1]) for sample in json.loads(answer)["data"]["result"]]

    def exemplars(self, query):
        """Trace ids that Prometheus kept for the series of a query, of the last ten minutes."""
        now = time.time()
        answer = observe.answers(self.port, f"/api/v1/query_exemplars?query={urllib.parse.quote(query)}&start={now - 600}&end={now + 60}")
        return [one["labels"]["trace_id"] for series in json.loads(answer)["data"] for one in series["exemplars"]] if answer else []

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


def check_board(board, prometheus):
    """Every query gives something that is not zero, at some moment of the load."""
    waiting = {}
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            query = target["expr"].replace("${prefix}", "breakwater").replace("$__rate_interval", WINDOW)
            assert "$" not in query, query
            waiting[f"{panel['title']}: {query}"] = query
    assert len(waiting) > 40, len(waiting)

    def look():
        for name, query in list(waiting.items()):
            values = prometheus.query(query)
            if values and any(value == value and value != 0 for value in values):
                del waiting[name]
        return not waiting

    try:
        observe.wait_for("every panel to show something", look, 60)
    except TimeoutError:
        raise AssertionError("panels that show nothing under load:\n  " + "\n  ".join(waiting)) from None


def check_equal(prometheus, load, gateway):
    """After the load: what the clients counted, and the quantile that they measured."""
    def of_status(status):
        chosen = f'{{status="{status}",served_by!="hello"}}'
        return sum(prometheus.query(f"sum(breakwater_requests_total{chosen})") or [0])
    wait = time.monotonic() + 5
    while True:
        cut = load.statuses.get(0, 0)
        wrong = {}
        for status, count in sorted(load.statuses.items()):
            if status not in (0, 200):
                seen = of_status(status)
                if seen != count:
                    wrong[status] = (count, seen)
        seen = of_status(200)
        if not load.statuses[200] <= seen <= load.statuses[200] + cut:
            wrong[200] = (load.statuses[200], seen)
        if not wrong or time.monotonic() > wait:
            break
        time.sleep(0.3)
    assert not wrong, f"status: (clients, Prometheus) {wrong}"
    measured = sorted(load.seconds)[len(load.seconds) // 2]
    told = prometheus.query("histogram_quantile(0.5, sum by (le) (breakwater_request_duration_seconds_bucket))")[0]
    assert abs(bisect.bisect(BUCKETS, measured) - bisect.bisect(BUCKETS, told)) <= 1, (measured, told)


def check_exemplars(prometheus, traces):
    """The traces that Prometheus shows for buckets are those of lines of the access log, but for lines that were lost on purpose."""
    for metric in ("breakwater_first_token_seconds_bucket", "breakwater_request_duration_seconds_bucket"):
        seen = observe.wait_for(f"exemplars of {metric}", lambda: prometheus.exemplars(metric))
        assert all(re.fullmatch("[0-9a-f]{32}", trace) for trace in seen), seen
        known = traces.intersection(seen)
        assert len(known) * 2 > len(set(seen)), f"{metric}: of {len(set(seen))} traces {len(known)} are in the access log"


def check_rules(source, folder, scraped):
    rules = os.path.join(source, "alerts", "breakwater.yml")
    checked = run("promtool", "check", "rules", rules)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    names = re.findall(r"alert: (\w+)", open(rules).read())
    assert sorted(names) == sorted(ALERTS), set(names) ^ set(ALERTS)
    known = {re.sub(r",?le=\"[^\"]*\"", "", line.rsplit(" ", 1)[0]) for line in scraped.splitlines() if not line.startswith("#")}
    known |= {line.rsplit(" ", 1)[0] for line in scraped.splitlines()}
    tests = []
    for name, cases in ALERTS.items():
        for fires, series in zip((True, False), cases):
            for one in series:
                plain = re.sub(r'job="breakwater",?', "", one).replace("{}", "")
                assert plain.startswith("up") or plain in known, f"{name}: no scrape has {plain}"
            at = "20m"
            alert = {"eval_time": at, "alertname": name}
            looked = {"interval": "1m", "input_series": [{"series": key, "values": value} for key, value in series.items()]}
            tests.append((name, fires, {**looked, "alert_rule_test": [alert]}))
    for name, fires, test in tests:
        # promtool wants the alert word for word; whether it fires is told by what it says of an expectation of none.
        path = os.path.join(folder, "rules_test.json")
        with open(path, "w") as file:
            json.dump({"rule_files": [rules], "evaluation_interval": "1m", "tests": [test]}, file)
        result = run("promtool", "test", "rules", path)
        fired = result.returncode != 0 and "got:[" in (result.stdout + result.stderr)
        assert fired == fires, f"{name} {'does not fire' if fires else 'fires'}:\n{json.dumps(test, indent=1)}\n{result.stdout}{result.stderr}"


def lose_log_lines(gateway, reading):
    """The reader of standard output stands still until lines are lost."""
    reading.clear()
    path = "/own/" + "x" * 7000
    lost = lambda: re.search(r"\nbreakwater_log_lines_dropped_total (\d+)", gateway.metrics())[1] != "0"
    end = time.monotonic() + 60
    while not lost():
        assert time.monotonic() < end, "no line was lost"
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
        try:
            for _ in range(200):
                connection.request("GET", path)
                connection.getresponse().read()
        except (OSError, http.client.HTTPException):  # beyond per_address at this moment
            pass
        connection.close()
    reading.set()


def main():
    breakwater, flaky_ollama, source = (os.path.abspath(path) for path in sys.argv[1:4])
    for tool in ("prometheus", "promtool"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is not there: scripts/install-packages installs it")
    environment = {**os.environ, "PORT": "8080", "ADMIN_PORT": "9180", "OLLAMA_PORT": "11434", "CLOSED_PORT": "1", "ODD_PORT": "2", "TLS_PORT": "8443",
                   "CERTIFICATE": "/etc/breakwater/cert.pem", "KEY": "/etc/breakwater/key.pem"}
    with tempfile.TemporaryDirectory() as folder:
        made = run(breakwater, "dashboards", observe.POLICY, "-o", folder, env=environment)
        assert made.returncode == 0, made.stderr
        for name, committed in (("breakwater.json", "dashboards/breakwater.json"), ("alerts.yml", "alerts/breakwater.yml")):
            assert open(f"{folder}/{name}").read() == open(f"{source}/{committed}").read(), \
                f"{committed} is not what the generator makes: breakwater dashboards tests/observe/everything.policy -o …"
        board = json.load(open(f"{source}/dashboards/breakwater.json"))

        out, into = os.pipe()
        gateway = observe.Gateway(breakwater, flaky_ollama, folder, stdout=into)
        os.close(into)
        reading = threading.Event()
        reading.set()

        traces = set()

        def drain():
            rest = b""
            while reading.wait():
                piece = os.read(out, 1 << 16)
                if not piece:
                    return
                *lines, rest = (rest + piece).split(b"\n")
                traces.update(json.loads(line)["trace_id"] for line in lines)
        threading.Thread(target=drain, daemon=True).start()
        prometheus = None
        try:
            prometheus = Prometheus(folder, gateway.admin)
            scraped = gateway.metrics()
            checked = run("promtool", "check", "metrics", input=scraped)
            assert checked.returncode == 0 and not checked.stderr.strip(), checked.stdout + checked.stderr
            observe.wait_for("a scrape", lambda: prometheus.query("breakwater_build_info"))
            load = observe.Load(gateway)
            losing = threading.Thread(target=lose_log_lines, args=(gateway, reading))
            losing.start()
            check_board(board, prometheus)
            load.stop()
            losing.join()
            check_equal(prometheus, load, gateway)
            check_exemplars(prometheus, traces)
            check_rules(source, folder, gateway.metrics())
            # The same checks find what they are there for: a query of a metric that nobody has, a rule that can't fire.
            try:
                check_board({"panels": board["panels"] + [{"title": "none", "targets": [{"expr": "${prefix}_no_such_total"}]}]}, Quick(prometheus))
                raise SystemExit("a panel that shows nothing was not noticed")
            except AssertionError as noticed:
                assert "no_such_total" in str(noticed), noticed
        finally:
            reading.set()
            if prometheus:
                prometheus.stop()
            gateway.stop()
    print(f"{sum(len(panel.get('targets', [])) for panel in board['panels'])} queries and {len(ALERTS)} alerts: all right")


class Quick:
    """A Prometheus that knows an answer to everything but the planted metric."""

    def __init__(self, prometheus):
        self.prometheus = prometheus

    def query(self, query):
        return self.prometheus.query(query) if "no_such" in query else [1.0]


main()
