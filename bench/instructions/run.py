#!/usr/bin/env python3
"""User instructions that the gateway takes for each request, by callgrind: the same on a quiet and on a busy machine.

    run.py --breakwater build/release/cli/breakwater                 prints the figures
    run.py --breakwater … --check bench/instructions/figures.json    exit code 1 where one is more than 3 % off
    run.py --breakwater … --update bench/instructions/figures.json   writes them down
    run.py --breakwater … --profile get                              and what takes them, function by function

One connection sends one request after the other to a gateway with retries, a breaker, metrics and (but for get_no_log) the access
log; the upstream is a thread of this program. A stream sends the next token when its client has the last one, so that each is read and
written by itself. What is counted is the whole process, the writer of the log with it. The figures are those of one compiler and one C
library: another machine with the same ones gives the same figures.
"""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/support"))
from local import free_port, self_signed
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import results

WARM, MEASURED = 100, 400
TOLERANCE = 0.03
BODY = json.dumps({"model": "qwen3:32b", "stream": False, "messages": [{"role": "user", "content": "x" * 900}]})
ANSWER = json.dumps({"model": "qwen3:32b", "message": {"role": "assistant", "content": "y" * 160}, "done": True}, separators=(",", ":"))

POLICY = """edition 1

gateway {{ listen{tls} = "127.0.0.1:{port}"  admin = off  workers = 1  access_log = {log}{edge}

upstream u {{
  url             = "http://127.0.0.1:{upstream}"
  attempt_timeout = 15s
  repeat_safe     = true
  retry {{
    max_retries = 2
    when status in {{500, 503}} or error in {{connect_failure, refused}}
    wait = exponential(from: 500ms, factor: 2, cap: 2s)
  }}
  breaker {{
    open when failures(60s) >= 5
    open_for = 15s
    probes   = 3
    close when successes(30s) >= 3
  }}
  fallback = [busy]
}}

route own {{ when request.path == "/own"  reply = busy }}
route all {{ to = u }}

reply busy {{
  status = 200
  body   = json {{ "message": "busy", "is_fallback": true }}
}}
"""

HEADERS = "Host: 127.0.0.1:8080\r\nUser-Agent: bench/1\r\nAccept: */*\r\n"
GET = f"GET /api/tags HTTP/1.1\r\n{HEADERS}\r\n"
POST = f"POST /api/chat HTTP/1.1\r\n{HEADERS}Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n{BODY}"
OWN = f"GET /own HTTP/1.1\r\n{HEADERS}\r\n"
STREAM = json.dumps({"model": "qwen3:32b", "stream": True, "messages": [{"role": "user", "content": "x"}]})


def stream_request(path):
    return f"POST {path} HTTP/1.1\r\n{HEADERS}Content-Type: application/json\r\nContent-Length: {len(STREAM)}\r\n\r\n{STREAM}"


# path -> type, a token, the end: as long as those of the real servers (bench/streams has the same)
STREAMS = {
    "/api/chat": ("application/x-ndjson", '{"model":"qwen3:32b","created_at":"2026-01-01T00:00:00.000000000Z","message":{"role":"assistant",'
                  '"content":"@%019d"},"done":false}\n',
                  '{"model":"qwen3:32b","created_at":"2026-01-01T00:00:00.000000000Z","message":{"role":"assistant","content":""},'
                  '"done":true,"done_reason":"stop","total_duration":1,"load_duration":1,"prompt_eval_count":1,'
                  '"prompt_eval_duration":1,"eval_count":1,"eval_duration":1}\n'),
    "/v1/chat/completions": ("text/event-stream", 'data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1767225600,'
                             '"model":"qwen3:32b","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant",'
                             '"content":"@%019d"},"finish_reason":null}]}\n\n',
                             'data: {"id":"chatcmpl-123","object":"chat.completion.chunk","created":1767225600,"model":"qwen3:32b",'
                             '"system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant","content":""},'
                             '"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'),
}
# name -> path: figures are those of a token
TOKENS = {"token_ollama": "/api/chat", "token_openai": "/v1/chat/completions"}
taken = threading.Semaphore(0)  # tokens that the client has
# What of a policy speaks plain HTTP, and what TLS.
PLAIN = {"tls": "", "edge": " }"}
TLS = {"tls": "_tls", "edge": "  tls = edge }\ntls edge { certificate = \"cert.pem\"  key = \"key.pem\" }"}
# name -> request, log, a new connection for each, how clients come
CASES = {"get": (GET, "stdout", False, PLAIN), "get_no_log": (GET, "off", False, PLAIN), "get_tls": (GET, "stdout", False, TLS), "post": (POST, "stdout", False, PLAIN),
         "own": (OWN, "stdout", False, PLAIN), "connection": (GET.replace("Accept", "Connection: close\r\nAccept"), "stdout", True, PLAIN),
         **{name: (stream_request(path), "stdout", False, PLAIN) for name, path in TOKENS.items()}}


def read_message(stream):
    """Head and body by Content-Length; None at the end."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return None
        head += line
    length = re.search(rb"content-length: (\d+)", head.lower())
    return head, stream.read(int(length[1])) if length else b""


def serve(listener):
    answer = f"HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: application/json\r\nContent-Length: {len(ANSWER)}\r\n\r\n{ANSWER}".encode()

    def one(connection):
        with connection, connection.makefile("rb") as stream:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while (message := read_message(stream)) is not None:
                if b'"stream": true' in message[1]:
                    send_stream(connection, message[0].split(b" ")[1].decode())
                else:
                    connection.sendall(answer)
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=one, args=(connection,), daemon=True).start()


def send_stream(connection, path):
    kind, token, end = STREAMS[path]
    connection.sendall(f"HTTP/1.1 200 OK\r\nServer: bench\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    for number in range(WARM + MEASURED):
        frame = token % number
        connection.sendall(f"{len(frame):x}\r\n{frame}\r\n".encode())
        taken.acquire()
    connection.sendall(f"{len(end):x}\r\n{end}\r\n0\r\n\r\n".encode())


def ask(port, request, count, reconnects, over_tls):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = stream = None
    for _ in range(count):
        if connection is None:
            connection = socket.create_connection(("127.0.0.1", port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if over_tls:
                connection = context.wrap_socket(connection, server_hostname="localhost")
            stream = connection.makefile("rb")
        connection.sendall(request.encode())
        message = read_message(stream)
        if message is None or not message[0].startswith(b"HTTP/1.1 200"):
            sys.exit(f"bench: not answered with 200: {message}")
        if reconnects:
            stream.close()
            connection.close()
            connection = None
    if connection is not None:
        connection.close()


def ask_tokens(port, request, count):
    with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rb") as stream:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(request.encode())
        while stream.readline() not in (b"\r\n", b""):
            pass
        for number in range(WARM + MEASURED):
            if number == WARM:
                count("on")
            size = int(stream.readline() or "0", 16)
            if size == 0:
                sys.exit("bench: the stream broke off")
            stream.read(size + 2)
            if number == WARM + MEASURED - 1:  # the end of the stream is not counted
                time.sleep(0.3)
                count("off")
            taken.release()
        while stream.readline() != b"0\r\n":
            pass


def measure(binary, name, profile):
    request, log, reconnects, way = CASES[name]
    folder = tempfile.mkdtemp()
    self_signed(folder)
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    port = free_port()
    policy = os.path.join(folder, "bench.policy")
    with open(policy, "w", encoding="utf-8") as f:
        f.write(POLICY.format(port=port, upstream=listener.getsockname()[1], log=log, **way))
    with open(os.path.join(folder, "out"), "wb") as out:
        gateway = subprocess.Popen(["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/cg.out", "--instr-atstart=no",
                                    binary, "run", policy], stdout=out, stderr=out, cwd=folder)
    try:
        for _ in range(1200):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if gateway.poll() is not None:
                break
            time.sleep(0.1)
        else:
            sys.exit("bench: the gateway does not listen")
        count = lambda on: subprocess.run(["callgrind_control", "-i", on, str(gateway.pid)], check=True, capture_output=True)
        if name in TOKENS:
            ask_tokens(port, request, count)
        else:
            ask(port, request, WARM, reconnects, way is TLS)
            time.sleep(0.3)  # the log of these is written
            count("on")
            ask(port, request, MEASURED, reconnects, way is TLS)
            time.sleep(1)    # … and of those, while it counts
            count("off")
        subprocess.run(["callgrind_control", "-d", str(gateway.pid)], check=True, capture_output=True)
        time.sleep(1)
    finally:
        gateway.send_signal(signal.SIGTERM)
        try:
            gateway.wait(60)
        except subprocess.TimeoutExpired:
            gateway.kill()
        listener.close()
    dumps = [os.path.join(folder, file) for file in os.listdir(folder) if file.startswith("cg.out")]
    text = subprocess.run(["callgrind_annotate", "--threshold=95" if profile else "--threshold=1", max(dumps, key=os.path.getsize)], check=True, capture_output=True,
                          text=True).stdout
    total = re.search(r"([\d,]+) \(100.0%\)  PROGRAM TOTALS", text)
    if profile:
        for line in text.splitlines():
            found = re.match(r"\s*([\d,]+) \([ \d.]+%\)\s+(.*)", line)
            if found:
                print(f"{int(found[1].replace(',', '')) / MEASURED:8.0f}  {found[2][:170]}")
    shutil.rmtree(folder, ignore_errors=True)
    return round(int(total[1].replace(",", "")) / MEASURED)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--breakwater", required=True)
    options.add_argument("--case", default=",".join(CASES))
    options.add_argument("--check")
    options.add_argument("--update")
    options.add_argument("--profile")
    chosen = options.parse_args()
    for tool in ("valgrind", "callgrind_control", "callgrind_annotate"):
        if shutil.which(tool) is None:
            sys.exit(f"bench: {tool} is missing; scripts/install-packages --bench installs it")
    binary = os.path.abspath(chosen.breakwater)
    if chosen.profile:
        measure(binary, chosen.profile, True)
        return 0
    figures = {}
    for name in chosen.case.split(","):
        figures[name] = measure(binary, name, False)
        print(f"{name:12} {figures[name]:7}", flush=True)
    if chosen.update:
        measured = {"machine": results.machine(), "commit": results.commit(), "command": "bench/instructions/run.py " + " ".join("BINARY" if word == chosen.breakwater else word for word in sys.argv[1:])}
        known = results.read(chosen.update)
        with open(chosen.update, "w", encoding="utf-8") as f:
            json.dump({**known, "measured": measured, **figures}, f, indent=1)
            f.write("\n")
    if not chosen.check:
        return 0
    with open(chosen.check, encoding="utf-8") as f:
        known = json.load(f)
    bad = [f"{name}: {figure}, and {known.get(name)} was written down" for name, figure in figures.items()
           if name not in known or abs(figure - known[name]) > TOLERANCE * known[name]]
    for line in bad:
        print(f"bench: {line}")
    if bad:
        print(f"bench: if that is meant, write it down: run.py --breakwater … --update {chosen.check}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
