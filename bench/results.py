"""Figures of several rounds: their medians, the machine that they are of, and the file that keeps them."""
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys


def summarise(rows):
    return {name: {key: {"median": round(statistics.median(values), 2), "min": round(min(values), 2),
                         "max": round(max(values), 2)} for key, values in row.items()} for name, row in rows.items()}


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        cpu = next((line.split(":")[1].strip() for line in f if line.startswith("model name")), platform.machine())
    return f"{cpu}, {os.cpu_count()} CPUs, Linux {platform.release()}"


def commit():
    """Of this folder; "+" behind it: with changes."""
    here = os.path.dirname(os.path.abspath(__file__))
    try:
        name = subprocess.run(["git", "-C", here, "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
        changed = subprocess.run(["git", "-C", here, "status", "--porcelain", "-uno"], check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name + ("+" if changed else "")


def read(path):
    if not path or not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def add(path, name, result):
    """Adds the result of a case to a file, with machine and date, in the place of an earlier one."""
    recorded = read(path)
    recorded.setdefault("cases", {})[name] = {"machine": machine(), "commit": commit(), "date": datetime.date.today().isoformat(),
                                             "command": " ".join(["bench/" + os.path.relpath(os.path.abspath(sys.argv[0]), os.path.dirname(os.path.abspath(__file__))),
                                                                  *sys.argv[1:]]), **result}
    with open(path, "w", encoding="utf-8") as f:
        json.dump(recorded, f, indent=1)
        f.write("\n")
