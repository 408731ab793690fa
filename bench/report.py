#!/usr/bin/env python3
"""Writes docs/performance.md and its pictures from the files that the benchmarks wrote: no figure of now is typed by hand. What was tried
to lower one, with what it gave then, is bench/remedies.md, which it takes in.

    bench/proxy/run.py --breakwater BINARY --json bench/figures.json               logs on; once more with --logs off
    bench/start/run.py --breakwater BINARY --json bench/figures.json
    bench/instructions/run.py --breakwater BINARY --update bench/instructions/figures.json
    bench/report.py                                                                 docs/performance.md, docs/performance/*.svg
"""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import results
ROOT = os.path.dirname(HERE)
FIGURES = os.path.join(HERE, "figures.json")
INSTRUCTIONS = os.path.join(HERE, "instructions", "figures.json")
ABOUT = {
    "get": "GET, passed on", "post": "POST of 1 KiB, passed on", "static": "a static answer, the upstream is down", "cache": "from the cache",
    "connections": "a new connection for each request", "big": "an answer of 10 MiB",
    "routes": "one of 1 to 10,000 routes", "get_no_log": "GET without the access log", "own": "a reply of the policy",
    "connection": "GET with a new connection", "get_tls": "GET over TLS", "token_ollama": "a token of a stream, Ollama's API",
    "token_openai": "a token of a stream, OpenAI's API",
}


def about(case):
    name, _, rest = case.partition(",")
    return ABOUT.get(name, name) + (f", without access logs" if rest else "")


def origin(result):
    return f"{result['machine']}; commit {result.get('commit', 'unknown')}, {result['date']}: `{result.get('command', '?')}`"


def proxy_table(cases):
    lines = ["| work | nginx, µs | HAProxy, µs | Breakwater, µs | / the better |", "|---|---|---|---|---|"]
    for case, result in cases:
        rows = {name: row["cpu_us"]["median"] for name, row in result["figures"].items() if "cpu_us" in row}
        for name in sorted((n for n in rows if n.startswith("breakwater")), key=lambda n: (len(n), n)):
            suffix = name[len("breakwater"):]
            peers = [rows.get(peer + suffix) for peer in ("nginx", "haproxy")]
            known = [p for p in peers if p]
            ratio = f"{rows[name] / min(known):.2f}" if known else "–"
            shown = [f"{p:,.1f}" if p else "–" for p in peers]
            lines.append(f"| {about(case)}{suffix and ':' + suffix} | {shown[0]} | {shown[1]} | {rows[name]:,.1f} | {ratio} |")
    return lines


def main():
    cases = results.read(FIGURES).get("cases", {})
    text = ["# Performance", "",
            "Written by `bench/report.py` from the figures of the benchmarks ([bench/README.md](../bench/README.md) says what each does). Ratios of one",
            "run count; absolute times are those of the machine.", ""]
    proxy = [(case, result) for case, result in cases.items() if "figures" in result]
    if proxy:
        text += ["## CPU time for each request", ""] + proxy_table(proxy) + [""]
        for line in dict.fromkeys(origin(result) for _, result in proxy):
            text += [line, ""]
        text += ["![CPU time for each request](performance/cpu.svg)", ""]
    if os.path.exists(INSTRUCTIONS):
        with open(INSTRUCTIONS, encoding="utf-8") as f:
            instructions = json.load(f)
        text += ["## User instructions for each request", "", "By callgrind: the same on a busy machine. `bench/instructions/run.py --check` holds them within 3 %.", "",
                 "| work | instructions |", "|---|---|"]
        text += [f"| {about(case)} | {value:,} |" for case, value in instructions.items() if isinstance(value, int)]
        if "measured" in instructions:
            measured = instructions["measured"]
            text += ["", f"{measured['machine']}; commit {measured['commit']}: `{measured['command']}`"]
        text += ["", "![User instructions for each request](performance/instructions.svg)", ""]
    if "start" in cases:
        text += ["## Start and memory", "", "| from | first answer passed on, ms | PSS idle, MiB |", "|---|---|---|"]
        names = {"bundle": "a bundle of a shipped policy", "text": "its text", "many": "a bundle of 10,000 routes"}
        text += [f"| {names[name]} | {row['start_ms']} | {row['pss_mib']} |" for name, row in cases["start"]["rows"].items()]
        text += ["", origin(cases["start"]), ""]
    with open(os.path.join(HERE, "remedies.md"), encoding="utf-8") as f:
        text += f.read().splitlines()
    with open(os.path.join(ROOT, "docs", "performance.md"), "w", encoding="utf-8") as f:
        f.write("\n".join(text).rstrip() + "\n")
    files = [file for file in (FIGURES, INSTRUCTIONS) if os.path.exists(file)]
    subprocess.run([sys.executable, os.path.join(HERE, "plots.py"), *files, "-o", os.path.join(ROOT, "docs", "performance")], check=True)


if __name__ == "__main__":
    main()
