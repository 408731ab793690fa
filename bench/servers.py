"""The servers of one case: the upstream, and each proxy in front of it, configured to do the same.

One worker each. Proxies share one CPU, upstream and load generator the other; see proxy/run.py.
"""
import dataclasses
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

PROXY_CPU, LOAD_CPU = "0", "1"
# Every proxy writes a line for each request, or none does: set by who runs them. nginx buffers its lines as ours are; HAProxy writes
# them to standard output.
LOGS = False
ANSWER = json.dumps({"model": "qwen3:32b", "message": {"role": "assistant", "content": "y" * 200}, "done": True})
STATIC = json.dumps({"message": "The model is busy. Please try again later.", "is_fallback": True})
BIG_BYTES = 10 << 20


@dataclasses.dataclass
class Setup:
    """What the proxies of a case do beyond passing requests on. FOLDER stands for the folder of the run."""
    nginx: str = "location / { proxy_pass http://u; }"
    nginx_http: str = ""                 # beside the server
    haproxy: str = "default_backend b"   # in the frontend
    haproxy_backend: str = ""
    haproxy_more: str = ""               # further sections
    breakwater_gateway: str = ""         # further settings of the gateway
    breakwater_seen: str = ""            # its access log and admin address; none: the log as LOGS says, no admin address
    breakwater: str = ""                 # further blocks; none: everything goes to upstream u
    upstream_is_down: bool = False


def need(*tools):
    os.environ["PATH"] += ":/usr/sbin"
    for tool in tools:
        if shutil.which(tool) is None:
            sys.exit(f"bench: {tool} is missing; scripts/install-packages --bench installs it")


def on_cpu(cpu, command):
    """The command, pinned to a CPU if the machine lets us have it."""
    return ["taskset", "-c", cpu, *command] if int(cpu) in os.sched_getaffinity(0) else command


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


NGINX_LOG = """log_format j escape=json '{"time":"$time_iso8601","client":"$remote_addr","method":"$request_method","path":"$request_uri",'
  '"status":$status,"bytes_in":$request_length,"bytes_out":$bytes_sent,"seconds":$request_time,"upstream":"$upstream_addr",'
  '"upstream_status":"$upstream_status","upstream_seconds":"$upstream_response_time"}';
access_log %s j buffer=64k flush=1s;"""


def nginx(folder, name, http, logs=False):
    log = NGINX_LOG % f"{folder}/{name}.access" if logs else "access_log off;"
    return ["nginx", "-c", write(folder, name + ".conf", f"""daemon off; worker_processes 1; pid {folder}/{name}.pid;
error_log {folder}/{name}.err crit; events {{ worker_connections 4096; }}
http {{ {log} client_body_temp_path {folder}/{name}.b; proxy_temp_path {folder}/{name}.p;
fastcgi_temp_path {folder}/{name}.f; uwsgi_temp_path {folder}/{name}.u; scgi_temp_path {folder}/{name}.s;
keepalive_requests 1000000000; client_max_body_size 16m; default_type application/json; server_names_hash_max_size 65536;
{http} }}
""")]


def direct(folder, port):
    os.makedirs(f"{folder}/files", exist_ok=True)
    with open(f"{folder}/files/big", "wb") as f:
        f.write(b"z" * BIG_BYTES)
    return nginx(folder, "direct", f"""sendfile on; server {{ listen 127.0.0.1:{port} backlog=4096; root {folder}/files;
        location / {{ return 200 '{ANSWER}'; }} location = /big {{ }} }}""")


def nginx_proxy(folder, name, port, upstream, setup):
    return nginx(folder, name, f"""{setup.nginx_http.replace("FOLDER", folder)}
        proxy_http_version 1.1; proxy_set_header Connection "";
        upstream u {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; }}
        server {{ listen 127.0.0.1:{port} backlog=4096; {setup.nginx} }}""", LOGS)


def haproxy(folder, name, port, upstream, setup):
    return ["haproxy", "-f", write(folder, name + ".cfg", f"""global
  nbthread 1
  maxconn 4096
  {"log stdout format raw local0" if LOGS else ""}
defaults
  mode http
  {"log global" if LOGS else ""}
  {"option httplog" if LOGS else ""}
  option http-no-delay
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  retries 2
  retry-on conn-failure 500 502 503 504
  option redispatch
frontend f
  bind 127.0.0.1:{port}
  {setup.haproxy.replace("FOLDER", folder)}
backend b
  http-reuse always
  {setup.haproxy_backend}
  server s 127.0.0.1:{upstream}{" check" if setup.upstream_is_down else ""}
{setup.haproxy_more.replace("FOLDER", folder)}
""")]


def breakwater(folder, name, port, upstream, setup, binary):
    seen = setup.breakwater_seen or f'access_log = {"stdout" if LOGS else "off"}  admin = off'
    return [binary, "run", write(folder, name + ".policy", f"""edition 1
gateway {{ listen = "127.0.0.1:{port}"  workers = 1  {seen}
  {setup.breakwater_gateway} }}
upstream u {{
  url = "http://127.0.0.1:{upstream}"
  repeat_safe = true
  retry {{ max_retries = 2  when status in 5xx or error in {{connect_failure, refused}}  wait = exponential(from: 1ms, factor: 2, cap: 2s) }}
  breaker {{ open when failed_requests(60s) >= 5  open_for = 1h }}
  {"fallback = [static_answer]" if setup.upstream_is_down else ""}
}}
{setup.breakwater.replace("FOLDER", folder)}
""")]


class Servers:
    """Runs them while it is open. `setups` names the proxies: {"breakwater": ("breakwater", Setup(…)), …}. `upstream(folder, port)`
    is the command of the server that stands behind them, and is asked directly as "direct"."""

    def __init__(self, folder, binary, setups, upstream=direct):
        os.chmod(folder, 0o755)  # nginx's workers give root up
        self.ports = {name: free_port() for name in ["direct", *setups]}
        self.processes = {}
        commands = {"direct": (LOAD_CPU, upstream(folder, self.ports["direct"]))}
        for name, (proxy, setup) in setups.items():
            to = free_port() if setup.upstream_is_down else self.ports["direct"]
            file, port = name.replace(" ", "-"), self.ports[name]
            if proxy == "nginx":
                command = nginx_proxy(folder, file, port, to, setup)
            elif proxy == "haproxy":
                command = haproxy(folder, file, port, to, setup)
            else:
                command = breakwater(folder, file, port, to, setup, os.path.abspath(binary))
            commands[name] = (PROXY_CPU, command)
        try:
            for name, (cpu, command) in commands.items():
                log = os.path.join(folder, name + ".log")
                with open(log, "wb") as output:
                    self.processes[name] = subprocess.Popen(on_cpu(cpu, command), stdout=output, stderr=output)
                self.wait_for(name, log)
        except BaseException:
            self.close()
            raise

    def wait_for(self, name, log):
        for _ in range(6000):
            if self.processes[name].poll() is not None:
                with open(log, encoding="utf-8", errors="replace") as f:
                    sys.exit(f"bench: {name} ended with {self.processes[name].returncode}:\n{f.read()[:2000]}")
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.ports[name])) == 0:
                    return
            time.sleep(0.01)
        sys.exit(f"bench: {name} does not listen")

    def close(self):
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def pids(self, name):
        pid = self.processes[name].pid
        with os.popen(f"pgrep -P {pid}") as children:
            return [pid] + [int(child) for child in children.read().split()]

    def cpu_ns(self, name):
        """What the scheduler gave to all threads of a server so far."""
        total = 0
        for pid in self.pids(name):
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
                    total += int(f.read().split()[0])
        return total

    def rss_kib(self, name):
        """Of a server with its workers; pages that they share count for each."""
        total = 0
        for pid in self.pids(name):
            with open(f"/proc/{pid}/status", encoding="ascii") as f:
                total += int(next(line for line in f if line.startswith("VmRSS")).split()[1])
        return total

    def rss_mib(self, name):
        return self.rss_kib(name) / 1024
