#!/usr/bin/env python3
"""`access_log = "journald:"` and `"syslog:"` with the daemons that they are for: what the gateway wrote is what these give back, a daemon that is
started anew is found again, and what nobody took is counted.

    log_daemons_test.py BREAKWATER

systemd-journald, rsyslogd and busybox syslogd, at their own paths, in a mount namespace in which /dev and /run are this test's. Programs that are
not there are said so and left out; exit code 77 where none is, or nobody may make a namespace.
"""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "examples/support"))
from local import answers, free_port, wait_for  # noqa: E402

REQUESTS = 200
# One each of what a daemon could stumble over; the gateway answers all of them with 200.
PATHS = ["/plain", "/%22quoted%22", "/%C3%BCml%C3%A4ut", "/percent%25s%25n", "/" + "long" * 500]
SKIPPED = 77


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)


def own_namespace():
    """/run is empty, and /dev holds what a program needs and no log."""
    mount("-t", "tmpfs", "tmpfs", "/mnt")
    for device in ("null", "zero", "full", "random", "urandom", "tty"):
        pathlib.Path("/mnt", device).touch()
        mount("--bind", f"/dev/{device}", f"/mnt/{device}")
    for folder in ("shm", "pts"):
        os.mkdir(f"/mnt/{folder}")
    os.symlink("/proc/self/fd", "/mnt/fd")
    mount("--move", "/mnt", "/dev")
    mount("-t", "tmpfs", "tmpfs", "/run")


class Daemon:
    """Started, read and stopped. `log`: the setting that names it."""
    log, program = "syslog:", ""

    def __init__(self, folder):
        self.folder, self.process = folder, None

    def start(self):
        self.process = subprocess.Popen(self.command(), stdout=open(f"{self.folder}/daemon.log", "ab"), stderr=subprocess.STDOUT)
        wait_for(self.socket, lambda: os.path.exists(self.socket))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        if os.path.exists(self.socket):
            os.unlink(self.socket)


class Journald(Daemon):
    log, program, socket = "journald:", "/lib/systemd/systemd-journald", "/run/systemd/journal/socket"

    def command(self):
        os.makedirs("/run/systemd/journal", exist_ok=True)
        os.makedirs("/run/log/journal", exist_ok=True)
        return [self.program]

    def lines(self):
        read = subprocess.run(["journalctl", "-o", "json", "-t", "breakwater"], capture_output=True, text=True)
        entries = [json.loads(line) for line in read.stdout.splitlines()]
        assert all(entry["PRIORITY"] == "6" and entry["_COMM"] == "breakwater" for entry in entries), entries[:2]
        return [entry.get("MESSAGE", "") for entry in entries]


class Rsyslogd(Daemon):
    program, socket = shutil.which("rsyslogd", path=os.environ["PATH"] + ":/usr/sbin"), "/dev/log"

    def command(self):
        config = pathlib.Path(self.folder, "rsyslog.conf")
        config.write_text('module(load="imuxsock")\n'
                          'template(name="whole" type="string" string="%syslogfacility-text% %syslogseverity-text% %programname% %procid%%msg%\\n")\n'
                          f'action(type="omfile" file="{self.folder}/rsyslog.out" template="whole")\n')
        more = ["-M", os.environ["RSYSLOG_MODULES"]] if "RSYSLOG_MODULES" in os.environ else []
        return [self.program, "-n", "-f", str(config), "-i", f"{self.folder}/rsyslog.pid", *more]

    def lines(self):
        path = pathlib.Path(self.folder, "rsyslog.out")
        text = path.read_text() if path.exists() else ""
        return re.findall(r"^daemon info breakwater \d+ (.*)$", text, re.M)


class Busybox(Daemon):
    program, socket = shutil.which("busybox"), "/dev/log"

    def command(self):
        return [self.program, "syslogd", "-n", "-O", f"{self.folder}/busybox.out"]

    def lines(self):
        path = pathlib.Path(self.folder, "busybox.out")
        text = path.read_text() if path.exists() else ""
        return re.findall(r"^\w+ +\d+ [0-9:]+ \S+ daemon\.info breakwater\[\d+\]: (.*)$", text, re.M)


class Gateway:
    def __init__(self, binary, folder, log):
        self.port, self.admin, self.asked = free_port(), free_port(), []
        policy = pathlib.Path(folder, "log.policy")
        policy.write_text(f'edition 1\ngateway {{ listen = "127.0.0.1:{self.port}"  admin = "127.0.0.1:{self.admin}"  admin_token = secret("TOKEN")  '
                          f'access_log = "{log}" }}\nroute all {{ reply = hello }}\nreply hello {{ status = 200  text = "hello" }}\n')
        self.events = open(f"{folder}/events", "wb")
        self.process = subprocess.Popen([binary, "run", policy], env={**os.environ, "TOKEN": "token"}, stdout=subprocess.DEVNULL, stderr=self.events)
        wait_for("the gateway", lambda: answers(self.admin, "/health/ready"))

    def ask(self, number):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        for _ in range(number):
            name = f"asked-{len(self.asked)}"
            connection.request("GET", PATHS[len(self.asked) % len(PATHS)], headers={"X-Request-Id": name})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            self.asked.append(name)
        connection.close()

    def lost(self):
        return int(re.search(r"^breakwater_log_lines_dropped_total (\d+)$", answers(self.admin, "/metrics"), re.M)[1])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(40) == 0


def requests_in(lines):
    """Names of the requests of whole lines; a line that a daemon shortened or spoiled is nobody's."""
    names = []
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if entry["path"] in PATHS and entry["how"] == "own":
            names.append(entry["request_id"])
    return names


def try_one(binary, kind):
    with tempfile.TemporaryDirectory() as folder:
        daemon = kind(folder)
        daemon.start()
        gateway = Gateway(binary, folder, kind.log)
        try:
            # Each line is one of theirs, once and in its order; nothing is lost. What is too long for a daemon it shortens itself.
            gateway.ask(REQUESTS)
            wait_for("the lines", lambda: len(daemon.lines()) >= REQUESTS)
            got = requests_in(daemon.lines())
            longest = len(PATHS) - 1
            wanted = [name for number, name in enumerate(gateway.asked) if kind is not Busybox or number % len(PATHS) != longest]
            assert sorted(got) == sorted(wanted), f"{set(wanted) ^ set(got)} of {len(wanted)}\n{daemon.lines()[:3]}"
            assert len(daemon.lines()) == REQUESTS and gateway.lost() == 0, (len(daemon.lines()), gateway.lost())
            # Nobody there: lines are counted as lost, and the gateway goes on. Somebody again: from the next line on all is well.
            daemon.stop()
            gateway.ask(20)
            wait_for("lost lines to be counted", lambda: gateway.lost() == 20)
            daemon.start()
            gateway.ask(20)
            wait_for("lines after a restart", lambda: set(requests_in(daemon.lines())) >= {name for number, name in enumerate(gateway.asked)
                                                                                          if number >= REQUESTS + 20 and number % len(PATHS) != longest})
            assert gateway.lost() == 20, gateway.lost()
        finally:
            gateway.stop()
            daemon.stop()
    print(f"{kind.__name__}: {REQUESTS} lines as they were written; 20 without a daemon counted as lost, 20 after its return there", flush=True)


def main():
    binary = os.path.abspath(sys.argv[1])
    if "--inside" in sys.argv:
        own_namespace()
        tried = 0
        for kind in (Journald, Rsyslogd, Busybox):
            if not kind.program or not os.path.exists(kind.program):
                print(f"{kind.__name__}: not here")
                continue
            try_one(binary, kind)
            tried += 1
        sys.exit(0 if tried else SKIPPED)
    for way in (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"]):
        if subprocess.run([*way, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode == 0:
            sys.exit(subprocess.run([*way, "--propagation", "private", sys.executable, __file__, binary, "--inside"]).returncode)
    print("nobody may make a mount namespace here")
    sys.exit(SKIPPED)


main()
