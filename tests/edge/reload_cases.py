#!/usr/bin/env python3
"""Reloads of every kind of setting, and reloads that come at the wrong moment.

    reload_cases.py BREAKWATER [CASE…]
"""
import asyncio
import inspect
import os
import signal
import sys
import tempfile

import certificates
import lab

HEAD = 'edition 1\ngateway { listen = "127.0.0.1:%d"  admin = "127.0.0.1:%d"  %s }\n'


def says(word):
    return f'reply it {{ status = 200  text = "{word}" }}\nroute hello {{ when request.path == "/hello"  reply = it }}\n'


class Case:
    def __init__(self, binary):
        self.binary = binary
        self.port, self.admin = lab.free_port(), lab.free_port()

    def head(self, more=""):
        return HEAD % (self.port, self.admin, more)

    async def start(self, policy, **more):
        self.gateway = await lab.Gateway(self.binary, policy, workers=2, **more).start()
        return self.gateway

    async def get(self, path="/hello", headers="", port=None, tls=None):
        client = await lab.Client.connect(port or self.port, tls)
        try:
            return await asyncio.wait_for(client.request("GET", path, headers=headers), 10)
        finally:
            client.close()

    async def reload(self, policy, reason=""):
        """Its event; `reason`: it must be refused, with this word in reason or findings."""
        event = await self.gateway.reload(policy)
        if reason:
            lab.hold(event["message"] == "reload refused", "should be refused:", event)
            lab.hold(reason in event.get("reason", "") + event.get("findings", ""), "should say", reason, ":", event)
        else:
            lab.hold(event["message"] == "policy reloaded", "should be taken:", event)
        return event


async def broken_then_good(case):
    await case.start(case.head() + says("one"))
    await case.reload(case.head() + says("two") + "route broken { to = nobody }\n", "nobody")
    lab.hold((await case.get())[2] == b"one", "the old one stays")
    await case.reload(case.head() + says("three"))
    lab.hold((await case.get())[2] == b"three", "and the good one comes")


async def two_signals_at_once(case):
    gateway = await case.start(case.head() + says("one"))
    for word in ("two", "three", "four", "five"):
        gateway.write(case.head() + says(word))
        gateway.process.send_signal(signal.SIGHUP)
    for _ in range(200):
        if (await case.get())[2] == b"five":
            break
        await asyncio.sleep(0.05)
    lab.hold((await case.get())[2] == b"five", "the text that was there at the last signal is in force")


async def while_draining(case):
    upstream = await lab.Upstream().start()
    policy = case.head() + f'upstream main {{ url = "{upstream.url}" }}\nroute all {{ to = main }}\n'
    gateway = await case.start(policy)
    client = await lab.Client.connect(case.port)
    client.send("POST", "/stream", b'{"stream":true}', "Content-Type: application/json\r\n")
    await client.head()
    await client.chunk()
    gateway.process.send_signal(signal.SIGTERM)
    await gateway.wait("draining")
    after = len(gateway.events)
    gateway.write(case.head() + says("late"))
    gateway.process.send_signal(signal.SIGHUP)
    event = await gateway.wait("policy reloaded", "reload refused", after=after)
    lab.hold(event["message"] == "reload refused" and "stopping" in event["reason"], event)
    upstream.end.set()
    text = b""
    while chunk := await client.chunk():
        text += chunk
    lab.hold(b'"done": true' in text, "the stream ends well:", text[-100:])
    lab.hold(await asyncio.wait_for(gateway.process.wait(), 20) == 0, "and so does the process")


async def a_removed_upstream_with_waiters(case):
    upstream = await lab.Upstream().start()
    main = f'upstream main {{ url = "{upstream.url}"  max_in_flight = 1  queue {{ length = 5  timeout = 1min }} }}\nroute all {{ to = main }}\n'
    gateway = await case.start(case.head() + main)
    waiting = []
    for _ in range(3):
        client = await lab.Client.connect(case.port)
        client.send("GET", "/slow")
        waiting.append(client)
    while (await gateway.metrics()).get('queue_length{upstream="main"}') != 2:
        await asyncio.sleep(0.02)
    await case.reload(case.head() + says("without it"))
    lab.hold((await case.get("/slow"))[0] == 404, "nobody goes there any more")
    upstream.go.set()
    for client in waiting:
        status, _ = await asyncio.wait_for(client.head(), 10)
        lab.hold(status == 200, "who waited is answered:", status)
    for _ in range(100):
        if (await gateway.metrics())["policies_alive"] == 1:
            return
        await asyncio.sleep(0.05)
    raise lab.Failure("the old policy is still alive")


async def an_upstream_that_moves(case):
    first, second = await lab.Upstream().start(), await lab.Upstream().start()

    def policy(upstream):
        return case.head() + f'upstream main {{ url = "{upstream.url}" }}\nroute all {{ to = main }}\n'
    await case.start(policy(first))
    under_way = await lab.Client.connect(case.port)
    under_way.send("GET", "/slow")
    kept = await lab.Client.connect(case.port)
    await kept.request("GET", "/x")
    while not first.asked.get("/slow"):
        await asyncio.sleep(0.02)
    await case.reload(policy(second))
    await kept.request("GET", "/x")
    lab.hold((first.asked["/x"], second.asked["/x"]) == (1, 1), first.asked, second.asked)
    first.go.set()
    lab.hold((await under_way.head())[0] == 200, "what is under way ends where it began")


async def a_listener_that_becomes_tls(case):
    authority = certificates.Authority()
    pair = authority.issue("edge")
    await case.start(case.head() + says("plain"))
    kept = await lab.Client.connect(case.port)
    await kept.request("GET", "/hello")
    await case.reload(f'edition 1\ngateway {{ listen_tls = "127.0.0.1:{case.port}"  tls = edge  admin = "127.0.0.1:{case.admin}" }}\n'
                      f'tls edge {{ certificate = "{pair[0]}"  key = "{pair[1]}" }}\n' + says("safe"))
    lab.hold((await case.get(tls=authority.client_context()))[2] == b"safe", "the same port speaks TLS")
    lab.hold((await kept.request("GET", "/hello"))[2] == b"safe", "an old connection goes on, under the new policy")
    lab.hold((await case.get())[0] == 400, "new ones in the clear are told")
    os.remove(pair[1])
    event = await case.reload(f'edition 1\ngateway {{ listen_tls = "127.0.0.1:{case.port}"  tls = edge  admin = "127.0.0.1:{case.admin}" }}\n'
                              f'tls edge {{ certificate = "{pair[0]}"  key = "{pair[1]}" }}\n' + says("without its key"), "No such file")
    lab.hold(event, event)
    lab.hold((await case.get(tls=authority.client_context()))[2] == b"safe", "and the pair that was read stays")
    authority.remove()


async def a_file_that_can_not_be_read(case):
    gateway = await case.start(case.head() + says("one"))
    os.rename(gateway.file, gateway.file + ".away")
    after = len(gateway.events)
    gateway.process.send_signal(signal.SIGHUP)
    event = await gateway.wait("policy reloaded", "reload refused", after=after)
    lab.hold(event["message"] == "reload refused" and event["reason"] == "the policy can't be read" and "gateway.policy" in event["findings"], event)
    lab.hold((await case.get())[2] == b"one", "the old one stays")


async def what_can_not_change(case):
    await case.start(case.head() + says("one"))
    other = lab.free_port()
    for policy, word in [(case.head("workers = 7"), "workers"), (HEAD % (case.port, other, ""), "admin"),
                         (case.head("admin = off").replace(f'admin = "127.0.0.1:{case.admin}"', ""), "admin"),
                         (case.head("access_log = off"), "access_log")]:
        await case.reload(policy + says("two"), word)
    lab.hold((await case.get())[2] == b"one", "the old one stays, whole")


async def a_taken_address(case):
    import socket
    await case.start(case.head() + says("one"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        both = case.head().replace(f'"127.0.0.1:{case.port}"', f'["127.0.0.1:{case.port}", "127.0.0.1:{taken.getsockname()[1]}"]')
        await case.reload(both + says("two"), "taken")
    lab.hold((await case.get())[2] == b"one", "the old one stays, whole")
    await case.reload(both + says("two"))
    lab.hold((await case.get())[2] == b"two", "once it is free it comes")


async def an_address_that_narrows_and_widens(case):
    """From every address to one, and back, on the same port: the kernel takes both while the one goes and the other comes."""
    def policy(listen, word):
        return case.head().replace(f'"127.0.0.1:{case.port}"', listen) + says(word)
    await case.start(policy(f'"0.0.0.0:{case.port}"', "wide"))
    kept = await lab.Client.connect(case.port)
    for listen, word in ((f'"127.0.0.1:{case.port}"', "narrow"), (f'["127.0.0.1:{case.port}", "[::1]:{case.port}"]', "two"),
                         (f'"0.0.0.0:{case.port}"', "wide again"), (f'["0.0.0.0:{case.port}", "127.0.0.1:{case.port}"]', "both")):
        await case.reload(policy(listen, word))
        lab.hold((await case.get())[2] == word.encode(), word)
        lab.hold((await kept.request("GET", "/hello"))[2] == word.encode(), word, "on a kept connection")
    kept.close()


async def settings_of_the_gateway(case):
    gateway = await case.start(case.head() + says("one"))
    await case.reload(case.head('cors = "https://chat.example"  metrics_prefix = "other"') + says("two"))
    _, fields, _ = await case.get(headers="Origin: https://chat.example\r\n")
    lab.hold(fields.get("access-control-allow-origin") == "https://chat.example", "cors:", fields)
    lab.hold("other_policies_alive" in await gateway.metrics(), "metrics have the new prefix")
    held = [await lab.Client.connect(case.port) for _ in range(4)]
    for client in held:
        await client.request("GET", "/hello")
    await case.reload(case.head("limits { connections = 2  per_address = 2 }") + says("three"))
    lab.hold((await held[0].request("GET", "/hello"))[2] == b"three", "those that are open stay")
    try:
        await case.get()
        raise lab.Failure("a fifth connection should be refused")
    except (OSError, asyncio.IncompleteReadError):
        pass
    await case.reload(case.head() + says("four"))
    lab.hold((await case.get())[2] == b"four", "and come again")


async def a_secret_in_a_file(case):
    upstream = await lab.Upstream().start()
    with tempfile.TemporaryDirectory(prefix="breakwater-secret-") as folder:
        path = os.path.join(folder, "key")
        policy = case.head() + f'upstream main {{ url = "{upstream.url}"  header["X-Key"] = secret("KEY") }}\nroute all {{ to = main }}\n'
        for number, word in enumerate(("first", "second")):
            with open(path, "w", encoding="utf-8") as file:
                file.write(word + "\n")
            if number == 0:
                await case.start(policy, environment={"KEY_FILE": path})
            else:
                await case.reload(policy)
            await case.get("/x")
            lab.hold(f"X-Key: {word}".lower() in upstream.last_head.lower(), "the upstream got", upstream.last_head)


async def caches_by_their_key(case):
    upstream = await lab.Upstream().start()

    def policy(key, ttl="1h"):
        return (case.head() + f'cache kept {{ key = "{key}"  ttl = {ttl}  shared = true }}\nupstream main {{ url = "{upstream.url}" }}\n'
                f"route all {{ to = main  cache = kept }}\n")
    await case.start(policy("k ${request.path}"))
    await case.get("/a")
    await case.get("/a")
    lab.hold(upstream.asked["/a"] == 1, "kept")
    await case.reload(policy("k ${request.path}", "2h"))
    await case.get("/a")
    lab.hold(upstream.asked["/a"] == 1, "other times keep it")
    await asyncio.sleep(1.1)
    await case.reload(policy("k ${request.path}", "1s"))
    await case.get("/a")
    lab.hold(upstream.asked["/a"] == 2, "too old for the new ttl")
    await case.reload(policy("k ${request.path} ${request.method}"))
    await case.get("/a")
    lab.hold(upstream.asked["/a"] == 3, "another key is another cache")


async def models_are_loaded_first(case):
    upstream = await lab.Upstream().start()
    upstream.loaded.set()

    def policy(model, url, word):
        return (case.head() + says(word) + f'upstream main {{ url = "{url}"  cold_load = 20s  timeouts {{ connect = 500ms }}\n'
                f'  rewrite = json {{ "model": "{model}" }} }}\nroute all {{ to = main }}\n')
    gateway = await case.start(policy("small", upstream.url, "one"))
    upstream.loaded.clear()
    gateway.write(policy("large", upstream.url, "two"))
    gateway.process.send_signal(signal.SIGHUP)
    while not upstream.loads:
        await asyncio.sleep(0.02)
    lab.hold("large" in upstream.loads[0], upstream.loads)
    lab.hold((await case.get())[2] == b"one", "the old policy is in force while the model is loaded")
    upstream.loaded.set()
    await gateway.wait("policy reloaded")
    lab.hold((await gateway.wait("models warmed"))["loaded"] == 1, gateway.events[-3:])
    lab.hold((await case.get())[2] == b"two", "now the new one is")
    await case.reload(policy("large", upstream.url, "three"))
    lab.hold(len(upstream.loads) == 1, "what is known to be there is not loaded again:", upstream.loads)
    began = lab.now()
    await case.reload(policy("other", f"http://127.0.0.1:{lab.free_port()}", "four"))  # nobody is there
    lab.hold(lab.now() - began < 10 and any(e.get("message") == "models not warmed" for e in gateway.events), "a server that is down delays nothing")
    lab.hold((await case.get())[2] == b"four", "and the policy comes in")


async def many_signals(case):
    gateway = await case.start(case.head() + says("one"))
    for number in range(20):
        gateway.write(case.head() + says(f"n{number}"))
        gateway.process.send_signal(signal.SIGHUP)
        await asyncio.sleep(0.02)
    for _ in range(300):
        if (await case.get())[2] == b"n19":
            break
        await asyncio.sleep(0.05)
    lab.hold((await case.get())[2] == b"n19", "the last one is in force")
    for _ in range(100):
        if (await gateway.metrics())["policies_alive"] == 1:
            return
        await asyncio.sleep(0.05)
    raise lab.Failure("an old policy is still alive")


async def a_symlink_that_is_swapped(case):
    """As Kubernetes changes a ConfigMap, and with an imported file."""
    folder = tempfile.mkdtemp(prefix="breakwater-links-")
    for name, word in (("1", "one"), ("2", "two")):
        os.mkdir(os.path.join(folder, name))
        with open(os.path.join(folder, name, "gateway.policy"), "w", encoding="utf-8") as file:
            file.write(case.head() + says(word))
    os.symlink("1", os.path.join(folder, "data"))
    gateway = lab.Gateway(case.binary, "", arguments=("--watch",))
    gateway.file = os.path.join(folder, "data", "gateway.policy")
    case.gateway = await gateway.start()
    lab.hold((await case.get())[2] == b"one", "the first")
    os.symlink("2", os.path.join(folder, "data.new"))
    os.replace(os.path.join(folder, "data.new"), os.path.join(folder, "data"))
    event = await gateway.wait("policy reloaded", "reload refused")
    lab.hold(event["message"] == "policy reloaded" and event["why"] == "the file changed", event)
    lab.hold((await case.get())[2] == b"two", "the second")


async def an_imported_file(case):
    gateway = lab.Gateway(case.binary, "", arguments=("--watch",))
    part = os.path.join(gateway.folder, "part.policy")

    def write_part(upstream):
        with open(part, "w", encoding="utf-8") as file:
            file.write(f'edition 1\nupstream main {{ url = "{upstream.url}" }}\n')
    first, second = await lab.Upstream().start(), await lab.Upstream().start()
    write_part(first)
    gateway.write('edition 1\nimport "part.policy" as part\n' + case.head().replace("edition 1\n", "") + "route all { to = part.main }\n")
    case.gateway = await gateway.start()
    await case.get("/a")
    write_part(second)
    await gateway.wait("policy reloaded")
    await case.get("/a")
    lab.hold((first.asked.get("/a"), second.asked.get("/a")) == (1, 1), first.asked, second.asked)
    with open(part, "a", encoding="utf-8") as file:
        file.write("upstream {\n")
    event = await gateway.wait("reload refused")
    lab.hold("part.policy" in str(event), event)


CASES = {name: item for name, item in list(globals().items()) if inspect.iscoroutinefunction(item)}


async def main():
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    status = 0
    for name in sys.argv[2:] or CASES:
        case = Case(sys.argv[1])
        began = lab.now()
        try:
            await asyncio.wait_for(CASES[name](case), 60)
            verdict = "ok"
        except (lab.Failure, asyncio.TimeoutError, OSError, asyncio.IncompleteReadError) as failure:
            verdict, status = f"WRONG: {failure!r}", 1
        if getattr(case, "gateway", None) is not None and case.gateway.process.returncode is None:
            case.gateway.process.kill()
            await case.gateway.process.wait()
        print(f"reload_cases: {name}: {verdict} ({lab.now() - began:.1f} s)", flush=True)
    return status


if __name__ == "__main__":
    CASES.pop("main", None)
    sys.exit(asyncio.run(main()))
