"""What the incidents are played with: people who chat, a gateway, and model servers that fail on command."""
import collections
import http.client
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'support'))
from local import answers, free_port, wait_for  # noqa: E402


class Users:
    """People who chat, one request after the other, until stop()."""

    def __init__(self, port, number, path='/api/chat'):
        self.path = path
        self.port, self.going, self.seen, self.lock = port, True, collections.Counter(), threading.Lock()
        self.threads = [threading.Thread(target=self._chat, daemon=True) for _ in range(number)]
        for thread in self.threads:
            thread.start()

    def _chat(self):
        asks = {'prompt': 'hello'} if self.path == '/api/generate' else {'messages': [{'role': 'user', 'content': 'hello'}]}
        body = json.dumps({'model': 'qwen3:32b', 'stream': False, **asks})
        while self.going:
            connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=30)
            try:
                connection.request('POST', self.path, body, {'Content-Type': 'application/json'})
                answer = connection.getresponse()
                answer.read()
                reason = answer.getheader('X-Breakwater-Fallback-Reason')
                what = f'{answer.status}' + (f' from the fallback, because of {reason}' if reason else '')
            except (OSError, http.client.HTTPException) as error:
                what = f'no answer: {error}'
            finally:
                connection.close()
            with self.lock:
                self.seen[what] += 1
            time.sleep(0.1)

    def stop(self):
        self.going = False
        for thread in self.threads:
            thread.join(60)


class Scene:
    """A gateway with `policy`, and a flaky_ollama for each of `servers`, the variables of the policy that name their ports."""

    def __init__(self, build, folder, policy=HERE / 'incident.policy.in', servers=('OLLAMA_PORT',), variables=None):
        self.port, self.admin = free_port(), free_port()
        self.servers = {name: free_port() for name in servers}
        self.processes = [subprocess.Popen([build / 'examples/flaky_ollama/flaky_ollama', '--port', str(port), '--time-scale', '0.2'],
                                           stdout=subprocess.DEVNULL) for port in self.servers.values()]
        self.events_path = pathlib.Path(folder) / 'events.log'
        self.access_path = pathlib.Path(folder) / 'access.log'
        environment = {**os.environ, 'PORT': str(self.port), 'ADMIN_PORT': str(self.admin), **(variables or {}),
                       **{name: str(port) for name, port in self.servers.items()}}
        gateway = subprocess.Popen([build / 'cli/breakwater', 'run', policy], env=environment,
                                   stdout=open(self.access_path, 'wb'), stderr=open(self.events_path, 'wb'))
        self.processes.insert(0, gateway)
        for name, port in self.servers.items():
            wait_for(f'the server at {name}', lambda port=port: answers(port, '/api/version'))
        wait_for('the gateway', lambda: gateway.poll() is not None or answers(self.admin, '/health/ready'))
        if gateway.poll() is not None:
            sys.exit(f'the gateway ended:\n{self.events_path.read_text()}')

    def control(self, path, body, server='OLLAMA_PORT'):
        request = urllib.request.Request(f'http://127.0.0.1:{self.servers[server]}{path}', json.dumps(body).encode(), method='POST')
        urllib.request.urlopen(request, timeout=5).read()

    def breaker(self):
        return json.loads(answers(self.admin, '/health/circuit-breaker/ollama'))

    def metric(self, name):
        return sum(float(value) for value in re.findall(rf'^breakwater_{name}(?:{{[^}}]*}})? (\S+)$', answers(self.admin, '/metrics'), re.M))

    def events(self, message):
        return [line for line in self.events_path.read_text().splitlines() if f'"message":"{message}' in line]

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(60)
