#!/usr/bin/env python3
"""TLS against other people's programs: what is refused, in whose words, and what is served.

    tls_table.py BREAKWATER [SECTION…]      upstreams, clients, cuts, streams, browser; all of them by default

upstreams   nginx and node as servers: a row for each thing that can be wrong. The client is told which, the log and the counter say so, and
            the server is never asked.
clients     curl, openssl s_client and node: the same the other way round, and what is right is served.
cuts        an answer of each API that ends without TLS's own end is `truncated`; the same bytes with it are an answer.
streams     streams of each API over TLS on both sides: whole, cut, left by the client, silent for a while.
browser     Chromium reads an answer over TLS and refuses a certificate that it can't trust.
Programs that are not there are said so and left out.
"""
import asyncio
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading

import certificates
import lab
import tls_servers


class Problems:
    def __init__(self):
        self.all = []
        self.rows = 0

    def check(self, condition, *what):
        self.rows += 1
        if not condition:
            self.all.append(" ".join(str(part) for part in what))
            print("tls: WRONG:", *what, flush=True)


# ---- Upstreams ----------------------------------------------------------------------------------------------------------


async def upstreams(binary, made, problems):
    ca = f'ca = "{made.root[0]}"'
    pin = made.maker.pin
    gateway_own = f'certificate = "{made.client[0]}"  key = "{made.client[1]}"'
    wrong_own = f'certificate = "{made.client_stranger[0]}"  key = "{made.client_stranger[1]}"'
    # what, certificate, key, more of the server, `tls` of the policy, reason ("": served), a word of the detail
    rows = [
        ("as it should be", *made.good, None, ca, "", ""),
        ("wrong name", *made.other_name, None, ca, "name", "other.example"),
        ("wrong name, and it is written", *made.other_name, None, ca + '  name = "other.example"', "", ""),
        ("expired", *made.expired, None, ca, "expired", "2021-01-01"),
        ("not yet valid", *made.early, None, ca, "not_yet_valid", "2048-01-01"),
        ("unknown authority", *made.stranger, None, ca, "unknown_authority", "Other-Root"),
        ("the system's authorities", *made.good, None, "", "unknown_authority", "Lab-Root"),
        ("self-signed", *made.own, None, ca, "self_signed", "pin = "),
        ("self-signed, right pin", *made.own, None, f'pin = "{pin(made.own)}"', "", ""),
        ("self-signed, wrong pin", *made.own, None, f'pin = "{pin(made.good)}"', "pin", "it shows sha256:"),
        ("expired, right pin", *made.expired, None, f'pin = "{pin(made.expired)}"', "", ""),
        ("expired, right pin beside ca", *made.expired, None, ca + f'  pin = "{pin(made.expired)}"', "expired", "2021"),
        ("without its intermediate", *made.behind, None, ca, "unknown_authority", "signed by CN=Lab-Middle"),
        ("whole chain", made.chain, made.behind[1], None, ca, "", ""),
        ("chain in another order", made.mixed, made.behind[1], None, ca, "", ""),  # RFC 8446 4.4.2: clients cope with it
        ("no common version", *made.good, "old", ca, "alert", "protocol version"),
        ("no common cipher", *made.good, "cipher", ca, "alert", "handshake failure"),
        ("client certificate asked for and shown", *made.good, "asks", ca + "  " + gateway_own, "", ""),
        ("client certificate missing", *made.good, "asks", ca, "alert", "certificate required"),
        ("client certificate of strangers", *made.good, "asks", ca + "  " + wrong_own, "alert", "unknown CA"),
    ]
    for kind in ("nginx", "node"):
        if not shutil.which(kind):
            print(f"tls: no {kind} here")
            continue
        nginx_more = {None: "", "old": "ssl_protocols TLSv1 TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0;",
                      "cipher": "ssl_protocols TLSv1.2; ssl_ciphers ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0;",
                      "asks": f"ssl_verify_client on; ssl_client_certificate {made.root[0]};"}
        node_more = {None: "", "old": ", minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0'",
                     "cipher": ", maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0'",
                     "asks": f", requestCert: true, rejectUnauthorized: true, ca: read('{made.root[0]}')"}
        if kind == "nginx":
            server = tls_servers.Nginx(made.maker, [f"ssl_certificate {row[1]}; ssl_certificate_key {row[2]}; {nginx_more[row[3]]}" for row in rows])
        else:
            server = tls_servers.Node([f"cert: read('{row[1]}'), key: read('{row[2]}'){node_more[row[3]]}" for row in rows])

        def ends_otherwise(row):  # nginx lets the handshake pass and refuses the request; node hangs up on strangers without a word
            return row[3] == "asks" and (kind == "nginx" or "strangers" in row[0])

        try:
            await tls_servers.listens(server.ports[-1])
            policy = 'edition 1\ngateway { listen = "127.0.0.1:0"  admin = "127.0.0.1:0" }\n'
            for number, row in enumerate(rows):
                tls = f"  tls {{ {row[4]} }}" if row[4] else ""
                policy += f'upstream u{number} {{ url = "https://localhost:{server.ports[number]}"{tls} }}\n'
            for number in range(len(rows)):
                policy += f'route r{number} {{ when request.path == "/{number}"  to = u{number} }}\n'
            log = os.path.join(made.maker.folder, f"access-{kind}.log")
            policy = policy.replace("gateway {", f'gateway {{ access_log = "{log}" ')
            gateway = await lab.Gateway(binary, policy, workers=1).start()
            port = gateway.admin
            for number, row in enumerate(rows):
                what, reason, word = f"{kind}: {row[0]}", row[5], row[6]
                client = await lab.Client.connect(port)
                status, _, body = await client.request("GET", f"/{number}")
                client.close()
                if not reason:
                    problems.check(status == 200 and kind in body.decode(), what, status, body)
                    continue
                if ends_otherwise(row):
                    problems.check(status == (400 if kind == "nginx" else 502) and not (kind == "node" and server.asked(number)), what, status, body)
                    continue
                error = json.loads(body)
                told = error["error"] if isinstance(error["error"], str) else error["error"]["message"]
                problems.check(status == 502 and error.get("code") == "tls_failure", what, status, body)
                problems.check("TLS handshake with the model server failed: " in told, what, "tells no reason:", told)
                event = []
                for _ in range(60):  # the log has a thread of its own
                    event = [e for e in gateway.events if e.get("message") == "TLS with an upstream failed" and e["upstream"] == f"u{number}"]
                    if event:
                        break
                    await asyncio.sleep(0.05)
                problems.check(event and event[0]["reason"] == reason, what, "event:", event)
                problems.check(event and word in event[0].get("detail", ""), what, "detail:", event)
                problems.check(not server.asked(number), what, "the server was asked")
                count = (await gateway.metrics()).get(f'tls_failures_total{{side="u{number}",reason="{reason}"}}')
                problems.check(count == 1, what, "counted", count)
            await gateway.stop()
            with open(log, encoding="utf-8") as file:
                lines = {item["path"]: item for item in map(json.loads, file)}
            for number, row in enumerate(rows):
                if row[5] and not ends_otherwise(row):
                    attempt = lines[f"/{number}"]["attempts"][0]
                    problems.check(attempt.get("error") == "tls_failure" and attempt.get("tls_reason") == row[5], kind, row[0], "access log:", attempt)
            words = server.words()
            problems.check("alert" in words.lower() or "refused" in words, kind, "heard nothing:", words[-300:])
        finally:
            server.stop()


# ---- Clients ------------------------------------------------------------------------------------------------------------


def run(*command, stdin="", environment=None, seconds=20):
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=seconds, check=False,
                              env=dict(os.environ, **(environment or {})))
        return done.returncode, done.stdout + done.stderr
    except subprocess.TimeoutExpired as late:
        return -1, f"too late: {late.stdout}"


EDGE_REPLY = 'reply it { status = 200  text = "over tls" }\nroute all { reply = it }\n'


def edge_policy(tls, more=""):
    return (f'edition 1\ngateway {{ listen = "127.0.0.1:0"  listen_tls = "127.0.0.1:0"  admin = "127.0.0.1:0"  access_log = off  {more} }}\n{tls}\n'
            f"{EDGE_REPLY}").replace("gateway {", "gateway { tls = [edge]  ", 1)


async def clients(binary, made, problems):
    async def in_thread(*arguments, **more):
        return await asyncio.get_running_loop().run_in_executor(None, lambda: run(*arguments, **more))

    good = f'tls edge {{ certificate = "{made.good[0]}"  key = "{made.good[1]}"  %s }}'
    gateway = await lab.Gateway(binary, edge_policy(good % ""), workers=2).start()
    port = gateway.port_of("traffic", "https")
    url = f"https://localhost:{port}/"
    curl = ["curl", "-sS", "--max-time", "15"]
    s_client = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost"]

    def failures(reason, before):
        return [e for e in gateway.events[before:] if e.get("message") == "TLS with a client failed" and e.get("reason") == reason]

    async def refused(what, command, reason, words, **more):
        before = len(gateway.events)
        code, output = await in_thread(*command, **more)
        for _ in range(60):
            if failures(reason, before):
                break
            await asyncio.sleep(0.05)
        problems.check(code != 0 or "alert" in output or "no peer certificate" in output, what, "was served:", code, output[-200:])
        problems.check(words in output, what, "client heard:", output[-400:])
        problems.check(failures(reason, before), what, "log:", gateway.events[before:])
        problems.check("over tls" not in output, what, "was served")

    code, output = await in_thread(*curl, "--cacert", made.root[0], url)
    problems.check(output == "over tls", "curl:", output)
    code, output = await in_thread(*curl, "--cacert", made.root[0], "--tls-max", "1.2", url)
    problems.check(output == "over tls", "curl with TLS 1.2:", output)
    await refused("curl without the authority", [*curl, url], "alert", "certificate")
    code, output = await in_thread(*curl, "--cacert", made.root[0], "--resolve", f"elsewhere.example:{port}:127.0.0.1",
                                   f"https://elsewhere.example:{port}/")
    problems.check(code != 0 and "elsewhere.example" in output, "curl by another name:", output)
    await refused("TLS 1.1", [*s_client, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], "protocol", "alert protocol version")
    await refused("no common cipher", [*s_client, "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], "protocol", "handshake failure")
    await refused("only HTTP/2", [*s_client, "-alpn", "h2"], "protocol", "alert")
    before = len(gateway.events)
    code, output = await in_thread("curl", "-sS", "--max-time", "15", f"http://127.0.0.1:{port}/")
    problems.check("https://" in output, "plain HTTP to the TLS port:", output)
    if shutil.which("node"):
        script = f"fetch('{url}').then(r => r.text()).then(t => console.log(t), e => console.log('no', e.cause.code))"
        code, output = await in_thread("node", "-e", script, environment={"NODE_EXTRA_CA_CERTS": made.root[0]})
        problems.check(output.strip() == "over tls", "node:", output)
        await refused("node without the authority", ["node", "-e", script + ".then(() => process.exit(1))"], "closed", "UNABLE_TO_VERIFY",
                      environment={"NODE_EXTRA_CA_CERTS": ""})
    await gateway.stop()

    # Clients that must show who they are.
    gateway = await lab.Gateway(binary, edge_policy(good % f'client_ca = "{made.root[0]}"'), workers=1).start()
    port = gateway.port_of("traffic", "https")
    url = f"https://localhost:{port}/"

    def shows(pair):
        return [*curl, "--cacert", made.root[0], "--cert", pair[0], "--key", pair[1], url]
    code, output = await in_thread(*shows(made.client))
    problems.check(output == "over tls", "curl with its certificate:", output)
    await refused("no client certificate", [*curl, "--cacert", made.root[0], url], "certificate_missing", "certificate required")
    await refused("client certificate of strangers", shows(made.client_stranger), "unknown_authority", "unknown ca")
    await refused("client certificate expired", shows(made.client_expired), "expired", "certificate expired")
    await refused("client certificate not yet valid", shows(made.client_early), "not_yet_valid", "alert")
    await refused("client certificate self-signed", shows(made.own_client), "self_signed", "alert")
    if shutil.which("node"):
        def script(pair):
            return (f"require('https').get({{host:'localhost',port:{port},ca:require('fs').readFileSync('{made.root[0]}'),"
                    f"cert:require('fs').readFileSync('{pair[0]}'),key:require('fs').readFileSync('{pair[1]}')}},"
                    f"r => r.on('data', d => console.log(String(d)))).on('error', e => {{ console.log(e.code || e.message); process.exit(1); }})")
        code, output = await in_thread("node", "-e", script(made.client))
        problems.check(output.strip() == "over tls", "node with its certificate:", output)
        await refused("node with a stranger's", ["node", "-e", script(made.client_stranger)], "unknown_authority", "UNKNOWN_CA")
    await gateway.stop()

    # A certificate that can't be used is told before anything listens.
    for what, certificate, key, words in [("expired", *made.expired, "ended on 2021-01-01"),
                                          ("a key of another", made.good[0], made.own[1], "does not fit"),
                                          ("chain backwards", made.backwards, made.behind[1], "order"),
                                          ("no such file", "/nowhere.pem", made.good[1], "No such file")]:
        policy = made.maker.write("broken.policy", edge_policy(f'tls edge {{ certificate = "{certificate}"  key = "{key}" }}'))
        code, output = await in_thread(binary, "run", policy, seconds=15)
        problems.check(code == 1 and words in output, "a gateway with", what, "certificate:", code, output[-300:])
    # The clock may be wrong, so one that is not valid yet is a warning, and clients refuse it in their own words.
    gateway = await lab.Gateway(binary, edge_policy(f'tls edge {{ certificate = "{made.early[0]}"  key = "{made.early[1]}" }}'), workers=1).start()
    shown = [e for e in gateway.events if e.get("message") == "certificate in use"]
    problems.check(shown and shown[0]["level"] == "warn" and "2048-01-01" in shown[0].get("warning", ""), "not yet valid:", shown)
    port = gateway.port_of("traffic", "https")
    await refused("a certificate that is not valid yet", [*curl, "--cacert", made.root[0], f"https://localhost:{port}/"], "alert", "not yet valid")
    await gateway.stop()


# ---- Cuts ---------------------------------------------------------------------------------------------------------------

OLLAMA = [b'{"model":"m","message":{"role":"assistant","content":"one "},"done":false}\n',
          b'{"model":"m","message":{"role":"assistant","content":"two"},"done":false}\n',
          b'{"model":"m","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"}\n']
OPENAI = [b'data: {"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":"one "}}]}\n\n',
          b'data: {"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"two"}}]}\n\n',
          b'data: {"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n']
ANTHROPIC = [b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"m",'
             b'"content":[],"usage":{"input_tokens":1,"output_tokens":1}}}\n\nevent: content_block_start\n'
             b'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n',
             b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"one"}}\n\n',
             b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\nevent: message_delta\ndata: {"type":"message_delta",'
             b'"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n']
RESPONSES = [b'event: response.created\ndata: {"type":"response.created","response":{"id":"r","status":"in_progress","output":[]}}\n\n',
             b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","item_id":"i","output_index":0,"content_index":0,'
             b'"delta":"one"}\n\n',
             b'event: response.completed\ndata: {"type":"response.completed","response":{"id":"r","status":"completed","output":[]}}\n\n']
APIS = {"/api/chat": ("application/x-ndjson", OLLAMA), "/v1/chat/completions": ("text/event-stream", OPENAI),
        "/v1/messages": ("text/event-stream", ANTHROPIC), "/v1/responses": ("text/event-stream", RESPONSES)}
WHOLE = b'{"model":"m","message":{"role":"assistant","content":"hello"},"done":true}'


class CuttingServer:
    """TLS with a blocking socket for each connection, so that it may end in every way. The header X-How says how."""

    def __init__(self, pair):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*pair)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            connection.settimeout(20)
            tls = self.context.wrap_socket(connection, server_side=True)
            head = b""
            while b"\r\n\r\n" not in head:
                head += tls.recv(65536)
            text = head.decode("latin-1")
            path = text.split(" ", 2)[1]
            how = [line.split(": ", 1)[1] for line in text.split("\r\n") if line.lower().startswith("x-how:")][0]
            kind, frames = APIS[path]
            framing, end = how.split(",")
            if framing == "whole":
                kind, frames = "application/json", [WHOLE]
            chunked = framing == "chunked"
            tls.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{'Transfer-Encoding: chunked' if chunked else 'Connection: close'}\r\n\r\n".encode())
            whole = end.startswith("whole")
            for frame in frames if whole else frames[:-1] or [WHOLE[:30]]:
                tls.sendall(b"%x\r\n%s\r\n" % (len(frame), frame) if chunked else frame)
            if chunked and whole:
                tls.sendall(b"0\r\n\r\n")
            if end.endswith("notify"):  # TLS's own end
                try:
                    tls.unwrap().close()
                except (OSError, ssl.SSLError):
                    pass
            elif end.endswith("reset"):
                tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                tls.close()
            else:
                socket.socket.shutdown(tls, socket.SHUT_WR)  # a FIN, and no close_notify before it
                try:
                    tls.recv(1)
                except (OSError, ssl.SSLError, ValueError):
                    pass
                tls.close()
        except (OSError, ssl.SSLError, IndexError, ValueError):
            connection.close()


async def cuts(binary, made, problems):
    server = CuttingServer(made.good)
    log = os.path.join(made.maker.folder, "access-cuts.log")
    policy = (f'edition 1\ngateway {{ listen = "127.0.0.1:0"  admin = "127.0.0.1:0"  access_log = "{log}" }}\n'
              f'upstream main {{ url = "https://localhost:{server.port}"  tls {{ ca = "{made.root[0]}" }} }}\nroute all {{ to = main }}\n')
    gateway = await lab.Gateway(binary, policy, workers=1).start()
    port = gateway.admin
    # (framing, end): what must come of it. Bytes that end without close_notify may have been cut by anybody on the way.
    rows = [("chunked,cut-fin", "truncated"), ("chunked,cut-notify", "truncated"), ("chunked,cut-reset", "truncated"),
            ("chunked,whole-notify", ""), ("close,cut-fin", "truncated"), ("close,cut-notify", "truncated"), ("close,cut-reset", "truncated"),
            ("close,whole-notify", ""), ("whole,cut-fin", "truncated"), ("whole,cut-reset", "truncated"),
            ("whole,whole-fin", "truncated"), ("whole,whole-notify", "")]
    asked = []
    for path in APIS:
        for how, expected in rows:
            if how.startswith("whole") and path != "/api/chat":
                continue
            name = f"{path} {how}"
            body = json.dumps({"model": "m", "stream": not how.startswith("whole"), "messages": []}).encode()
            client = await lab.Client.connect(port)
            try:
                client.send("POST", path, body, f"Content-Type: application/json\r\nX-How: {how}\r\nX-Request-Id: {len(asked)}\r\n")
                await client.writer.drain()
                status, fields = await asyncio.wait_for(client.head(), 10)
                text = b""
                is_whole = True
                try:
                    if "content-length" in fields:
                        text = await asyncio.wait_for(client.reader.readexactly(int(fields["content-length"])), 10)
                    else:
                        while chunk := await asyncio.wait_for(client.chunk(), 10):
                            text += chunk
                except (asyncio.IncompleteReadError, ConnectionError):
                    is_whole = False
            except (asyncio.IncompleteReadError, ConnectionError, asyncio.TimeoutError) as error:
                status, is_whole, text = repr(error), False, b""
            client.close()
            if expected:
                tells = b"error" in text and (b"truncated" in text or b"cut" in text)
                problems.check(status != 200 or not is_whole or tells, name, "passed for an answer:", status, text[-200:])
            else:
                problems.check(status == 200 and is_whole and b"error" not in text, name, "should be an answer:", status, is_whole, text[-200:])
            asked.append((name, expected))
    await gateway.stop()
    with open(log, encoding="utf-8") as file:
        lines = {item["request_id"]: item for item in map(json.loads, file)}
    for number, (name, expected) in enumerate(asked):
        line = lines[str(number)]
        error = line["attempts"][-1].get("error", "")
        wanted = ("truncated", "reset") if name.endswith("reset") else (expected,)
        problems.check(error in wanted, name, "access log:", line["attempts"], line.get("how"))


# ---- Streams ------------------------------------------------------------------------------------------------------------


async def streams(binary, made, problems):
    context = ssl.create_default_context(cafile=made.root[0])
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(*made.good)
    left = asyncio.Event()

    async def serve(reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                path = head.split(" ", 2)[1]
                length = [line for line in head.split("\r\n") if line.lower().startswith("content-length:")]
                body = await reader.readexactly(int(length[0].split(":")[1])) if length else b""
                what = json.loads(body)["what"]
                kind, frames = APIS[path]
                writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
                repeated = [frames[0]] + [frames[1]] * (2000 if what == "long" else 3)
                for number, frame in enumerate(repeated):
                    writer.write(b"%x\r\n%s\r\n" % (len(frame), frame))
                    if what == "halves":  # a frame in two records
                        await writer.drain()
                        await asyncio.sleep(0.01)
                    if what == "silent" and number == 1:
                        await writer.drain()
                        await asyncio.sleep(1.5)
                    if number % 50 == 0:
                        await writer.drain()
                if what == "left":
                    await writer.drain()
                    await reader.read(1)  # until the gateway goes
                    left.set()
                    return
                writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(frames[-1]), frames[-1]))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            left.set()
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_context)
    upstream = server.sockets[0].getsockname()[1]
    log = os.path.join(made.maker.folder, "access-streams.log")
    policy = (f'edition 1\ngateway {{ listen = "127.0.0.1:0"  listen_tls = "127.0.0.1:0"  tls = [edge]  admin = "127.0.0.1:0"  access_log = "{log}" }}\n'
              f'tls edge {{ certificate = "{made.good[0]}"  key = "{made.good[1]}" }}\n'
              f'upstream main {{ url = "https://localhost:{upstream}"  tls {{ ca = "{made.root[0]}" }}  timeouts {{ idle = 10s }} }}\n'
              f"route all {{ to = main  keep_alive = 500ms }}\n")
    gateway = await lab.Gateway(binary, policy, workers=2).start()
    port = gateway.port_of("traffic", "https")
    for path, (_, frames) in APIS.items():
        for what in ("short", "halves", "long", "silent", "left"):
            left.clear()
            client = await lab.Client.connect(port, context)
            client.send("POST", path, json.dumps({"model": "m", "stream": True, "messages": [], "what": what}).encode(),
                        "Content-Type: application/json\r\n")
            status, _ = await client.head()
            text = b""
            try:
                while chunk := await asyncio.wait_for(client.chunk(), 20):
                    text += chunk
                    if what == "left" and frames[1].strip() in text:
                        break
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                problems.check(False, path, what, "broke:", error)
            client.close()
            if what == "left":
                try:
                    await asyncio.wait_for(left.wait(), 10)
                except asyncio.TimeoutError:
                    problems.check(False, path, "the upstream was not told that the client left")
                continue
            problems.check(status == 200 and frames[-1].strip() in text, path, what, status, text[-200:])
            wanted = 2000 if what == "long" else 3
            problems.check(text.count(frames[1].strip()) == wanted, path, what, text.count(frames[1].strip()), "frames of", wanted)
    await gateway.stop()
    server.close()


# ---- Chromium -----------------------------------------------------------------------------------------------------------


async def browser(binary, made, problems):
    chromium = shutil.which("chromium")
    if not chromium or not shutil.which("certutil"):
        print("tls: no chromium or certutil here")
        return
    gateway = await lab.Gateway(binary, edge_policy(f'tls edge {{ certificate = "{made.good[0]}"  key = "{made.good[1]}" }}'), workers=1).start()
    url = f"https://localhost:{gateway.port_of('traffic', 'https')}/"
    loop = asyncio.get_running_loop()

    def show(home):
        return run(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={home}/profile", "--dump-dom", url,
                   environment={"HOME": home, "XDG_CONFIG_HOME": home}, seconds=60)
    home = made.maker.path("home")
    os.makedirs(home + "/.pki/nssdb")
    await loop.run_in_executor(None, lambda: run("certutil", "-N", "--empty-password", "-d", f"sql:{home}/.pki/nssdb"))
    code, output = await loop.run_in_executor(None, lambda: show(home))
    problems.check("over tls" not in output, "Chromium without the authority:", output[-300:])
    await loop.run_in_executor(None, lambda: run("certutil", "-A", "-n", "lab", "-t", "C,,", "-i", made.root[0], "-d", f"sql:{home}/.pki/nssdb"))
    code, output = await loop.run_in_executor(None, lambda: show(home))
    problems.check("over tls" in output, "Chromium with the authority:", output[-500:])
    refused = [e for e in gateway.events if e.get("message") == "TLS with a client failed"]
    problems.check(refused and refused[0]["reason"] == "alert", "the log says of Chromium:", refused)
    await gateway.stop()


SECTIONS = {"upstreams": upstreams, "clients": clients, "cuts": cuts, "streams": streams, "browser": browser}


async def main():
    if len(sys.argv) < 2 or any(name not in SECTIONS for name in sys.argv[2:]):
        print(__doc__)
        return 2
    made = certificates.Set()
    status = 0
    try:
        for name in sys.argv[2:] or SECTIONS:
            problems = Problems()
            await SECTIONS[name](sys.argv[1], made, problems)
            print(f"tls: {name}: {problems.rows} looked at, {len(problems.all)} wrong", flush=True)
            status = status or (1 if problems.all else 0)
    finally:
        shutil.rmtree(made.maker.folder, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
