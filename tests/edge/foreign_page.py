#!/usr/bin/env python3
"""A page of somebody else, open in an operator's browser (Chromium), tries to act on the gateway in every way that a page has.

    foreign_page.py BREAKWATER

fetch with and without CORS, forms, a beacon, an image, a frame, a name that points to the admin address (DNS rebinding), with a token that was
guessed and with one that was stolen. Nothing of it may happen; the same action by the command line must. A gullible server, which the page
asks in the same ways, shows that its requests do arrive.
"""
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile

import lab

PAGE = """<!doctype html><title>kittens</title><body><p id=said>began</p><iframe name=sink></iframe>
<script>
const bases = ["http://127.0.0.1:ADMIN", "http://localhost:ADMIN", "http://rebound.example:ADMIN", "http://127.0.0.1:GULLIBLE"];
const actions = ["breaker/main/open", "upstream/main/drain", "stop", "reload", "cache/kept/purge", "log-level/error"];
const said = [];
async function all() {
  for (const base of bases) for (const action of actions) {
    const url = base + "/admin/" + action;
    for (const token of ["wrong", "TOKEN"]) {
      try { const r = await fetch(url, {method: "POST", body: "{}", headers: {"Content-Type": "application/json", "Authorization": "Bearer " + token}});
            said.push("json " + r.status); } catch (e) { said.push("json blocked"); }
    }
    try { await fetch(url, {method: "POST", mode: "no-cors", body: "{}", headers: {"Content-Type": "text/plain"}}); } catch (e) {}
    try { await fetch(url, {method: "POST", mode: "no-cors", credentials: "include", body: new URLSearchParams({a: 1})}); } catch (e) {}
    try { await fetch(url, {mode: "no-cors"}); } catch (e) {}
    navigator.sendBeacon(url, "{}");
    navigator.sendBeacon(url, new Blob(["{}"], {type: "text/plain"}));
    new Image().src = url;
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
      const form = document.createElement("form");
      form.method = "post"; form.enctype = type; form.action = url; form.target = "sink";
      const field = document.createElement("input"); field.name = '{"a":"'; field.value = '"}'; form.append(field);
      document.body.append(form); form.submit();
      await new Promise(go => setTimeout(go, 20));
    }
    try { const r = await fetch(base + "/admin/policy", {headers: {"Authorization": "Bearer TOKEN"}}); said.push("read " + r.status); }
    catch (e) { said.push("read blocked"); }
  }
  document.getElementById("said").textContent = "done " + JSON.stringify(said);
}
all();
</script></body>"""


async def main():
    if len(sys.argv) != 2:
        print(__doc__)
        return 2
    chromium = shutil.which("chromium")
    if not chromium:
        print("foreign_page: no chromium here")
        return 0
    upstream = await lab.Upstream().start()
    admin = lab.free_port()
    runtime = tempfile.mkdtemp(prefix="breakwater-runtime-")
    policy = (f'edition 1\ngateway {{ listen = "127.0.0.1:0"  admin = "127.0.0.1:{admin}" }}\n'
              f'cache kept {{ key = "k ${{request.path}}"  ttl = 1h  shared = true }}\n'
              f'upstream main {{ url = "{upstream.url}"  breaker {{ open when failures(60s) >= 3 }} }}\nroute all {{ to = main  cache = kept }}\n')
    gateway = await lab.Gateway(sys.argv[1], policy, workers=1, environment={"RUNTIME_DIRECTORY": runtime}).start()
    written = await gateway.wait("admin token written")
    with open(written["file"], encoding="utf-8") as file:
        token = file.read().strip()

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        body = PAGE.replace("ADMIN", str(admin)).replace("GULLIBLE", str(fooled_port)).replace("TOKEN", token).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()
    fooled = []

    async def believe(reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"POST /admin/"):
                fooled.append(head.split(b" ", 2)[1].decode())
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()
    gullible = await asyncio.start_server(believe, "127.0.0.1", 0)
    fooled_port = gullible.sockets[0].getsockname()[1]
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    page = f"http://kittens.example:{server.sockets[0].getsockname()[1]}/"
    client = await lab.Client.connect(gateway.port_of("traffic"))
    await client.request("GET", "/kept")
    client.close()
    home = tempfile.mkdtemp(prefix="breakwater-browser-")

    def browse():
        done = subprocess.run(
            [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={home}", "--host-resolver-rules=MAP * 127.0.0.1",
             "--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests,PrivateNetworkAccessRespectPreflightResults",
             "--virtual-time-budget=60000", "--timeout=60000", "--dump-dom", page],
            capture_output=True, text=True, timeout=120, check=False)
        return done.stdout
    dom = await asyncio.get_running_loop().run_in_executor(None, browse)
    problems = []
    if "done [" not in dom:
        problems.append("the page did not come to its end: " + dom[-300:])
    if "json 2" in dom or "read 2" in dom:
        problems.append("the page read an answer: " + dom[-600:])
    metrics = await gateway.metrics()
    done = {name: value for name, value in metrics.items() if name.startswith("admin_actions_total") and value > 0}
    if len(set(fooled)) < 6:
        problems.append(f"the page's requests did not arrive at the gullible server: {fooled}")
    if done:
        problems.append(f"actions happened: {done}")
    state = (await gateway.health())["main"]["state"]
    if state != "CLOSED" or metrics['upstream_drained{upstream="main"}'] != 0 or metrics['cache_entries{cache="kept"}'] != 1:
        problems.append(f"something changed: {state}")
    refused = [e for e in gateway.events if e.get("message") == "admin action refused"]
    # The useful case: the same by the command line.
    for command in (["open", "main"], ["purge", "kept"]):
        ran = subprocess.run([sys.argv[1], *command, "--admin", f"127.0.0.1:{admin}"], env=dict(os.environ, RUNTIME_DIRECTORY=runtime),
                             capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            problems.append(f"{command}: {ran.stderr}")
    if (await gateway.health())["main"]["state"] != "OPEN":
        problems.append("the command line could not open the breaker")
    await gateway.stop()
    for folder in (home, runtime):
        shutil.rmtree(folder, ignore_errors=True)
    if not refused:
        problems.append("no request of the page came as far as being refused")
    print(f"foreign_page: a gullible server would have done {len(fooled)} actions; {dom.count('blocked')} fetches blocked, "
          f"{len(refused)} refusals logged; {'; '.join(problems) or 'nothing happened, and the command line works'}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
