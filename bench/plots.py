#!/usr/bin/env python3
"""Draws the figures of bench/proxy and bench/instructions: plots.py FIGURES.json… -o FOLDER, one SVG for each kind.

What it draws is what the JSON says; nothing is typed in by hand. No library is needed.
"""
import argparse
import html
import json
import os

COLOURS = {"breakwater": "#1f6f8b", "nginx": "#9aa5ad", "haproxy": "#c8a35f", "start": "#c9c9c9", "now": "#1f6f8b"}
WIDTH, LEFT, BAR, GAP = 760, 150, 16, 14


def bars(title, unit, groups):
    """groups: [(name, [(series, value)])]. A picture as text."""
    most = max((value for _, rows in groups for _, value in rows), default=1)
    parts, y = [], 44
    for name, rows in groups:
        parts.append(f'<text x="{LEFT - 8}" y="{y + len(rows) * BAR / 2 + 4}" text-anchor="end">{html.escape(name)}</text>')
        for series, value in rows:
            width = max(1, (WIDTH - LEFT - 190) * value / most)
            parts.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 3}" fill="{COLOURS.get(series, "#777")}"/>')
            parts.append(f'<text x="{LEFT + width + 6:.1f}" y="{y + 11}">{value:,.1f}'.replace(".0", "") + f' {html.escape(series)}</text>')
            y += BAR
        y += GAP
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" font-family="sans-serif" font-size="12">'
            f'<rect width="100%" height="100%" fill="white"/><text x="8" y="22" font-size="15">{html.escape(title)} ({html.escape(unit)})</text>'
            + "".join(parts) + "</svg>\n")


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("files", nargs="+")
    options.add_argument("-o", "--output", required=True)
    chosen = options.parse_args()
    cpu, instructions = [], []
    for path in chosen.files:
        with open(path, encoding="utf-8") as f:
            data = json.load(f)
        for case, result in data.get("cases", {}).items():
            rows = [(name, row["cpu_us"]["median"]) for name, row in result.get("figures", {}).items() if name in COLOURS]
            if rows:
                cpu.append((case, rows))
        if "cases" not in data:  # of bench/instructions, perhaps with where they began
            start = data.get("start", {})
            for case, value in data.items():
                if case != "start" and isinstance(value, int):
                    instructions.append((case, ([("start", start[case])] if case in start else []) + [("now", value)]))
    os.makedirs(chosen.output, exist_ok=True)
    for name, title, unit, groups in (("cpu", "CPU time for each request", "µs, less is better", cpu),
                                      ("instructions", "User instructions for each request", "less is better", instructions)):
        if groups:
            with open(os.path.join(chosen.output, name + ".svg"), "w", encoding="utf-8") as f:
                f.write(bars(title, unit, groups))


if __name__ == "__main__":
    main()
