"""What scripts that start servers on this machine share: a free port, a question by HTTP, waiting for something without guessing how long
it takes, a certificate for localhost."""
import os
import socket
import subprocess
import time
import urllib.request


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answers(port, path="/"):
    """The body of what is answered with success; None: nobody answers, or not so."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return answer.read().decode()
    except OSError:
        return None


def wait_for(what, condition, seconds=30):
    """What `condition` returns once that is true. TimeoutError, after so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.05)
    raise TimeoutError(f"waited {seconds} s for {what}")


def self_signed(folder):
    """A certificate for localhost that it signed itself, and its key: paths of cert.pem and key.pem in the folder."""
    certificate, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "90", "-subj", "/CN=localhost",
                           "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate], capture_output=True, text=True)
    if made.returncode != 0:
        raise RuntimeError(made.stderr)
    return certificate, key
