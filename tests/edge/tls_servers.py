"""nginx and node as servers that speak TLS, one for each row of a table, which tell who asked them and what they heard."""
import asyncio
import os
import subprocess
import tempfile
import threading

import lab


class Nginx:
    """One server block for each row, each on a port of its own; its access log says who was asked."""

    def __init__(self, maker, blocks):
        self.folder = tempfile.mkdtemp(prefix="breakwater-nginx-", dir=maker.folder)
        self.ports = [lab.free_port() for _ in blocks]
        servers = ""
        for port, block in zip(self.ports, blocks):
            servers += (f"server {{ listen 127.0.0.1:{port} ssl; {block} location / {{ default_type application/json; "
                        f"return 200 '{{\"from\":\"nginx\"}}'; }} }}\n")
        with open(os.path.join(self.folder, "nginx.conf"), "w", encoding="utf-8") as file:
            file.write(f"daemon off; master_process off; pid nginx.pid; error_log error.log info;\nevents {{}}\nhttp {{\n"
                       f"log_format asked '$server_port'; access_log {self.folder}/access.log asked;\n"
                       + "".join(f"{name}_temp_path {self.folder}/{name};\n" for name in
                                 ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")) + servers + "}\n")
        self.process = subprocess.Popen(["nginx", "-p", self.folder, "-c", "nginx.conf", "-e", self.folder + "/error.log"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def asked(self, number):
        with open(os.path.join(self.folder, "access.log"), encoding="utf-8") as file:
            return str(self.ports[number]) in file.read().split()

    def words(self):
        with open(os.path.join(self.folder, "error.log"), encoding="utf-8") as file:
            return file.read()

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Node:
    """The same in one node process; it prints what it hears."""

    def __init__(self, blocks):
        self.ports = [lab.free_port() for _ in blocks]
        program = "const https = require('https'), fs = require('fs'), read = path => fs.readFileSync(path);\n"
        for number, (port, block) in enumerate(zip(self.ports, blocks)):
            program += (f"{{ const s = https.createServer({{{block}}}, (q, r) => {{ console.log('asked {number}'); "
                        f"r.setHeader('Content-Type', 'application/json'); r.end('{{\"from\":\"node\"}}'); }});\n"
                        f"s.on('tlsClientError', e => console.log('refused {number} ' + (e.code || e.message)));\n"
                        f"s.listen({port}, '127.0.0.1'); }}\n")
        program += "console.log('ready');\n"
        self.lines = []
        self.process = subprocess.Popen(["node", "-e", program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.strip())

    def asked(self, number):
        return f"asked {number}" in self.lines

    def words(self):
        return "\n".join(self.lines)

    def stop(self):
        self.process.terminate()
        self.process.wait()


async def listens(port, seconds=20):
    end = lab.now() + seconds
    while lab.now() < end:
        try:
            client = await lab.Client.connect(port)
            client.close()
            return
        except OSError:
            await asyncio.sleep(0.05)
    raise lab.Failure(f"nobody listens on {port}")
