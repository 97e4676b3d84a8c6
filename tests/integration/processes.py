"""Child processes and free ports: what every test that runs programs shares. Needs nothing but
Python, so that tests/faults/postgres.py can be run on its own.
"""

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Sanitised binaries and busy machines are slow to start; a hang still ends.
START_DEADLINE = float(os.environ.get("AGENTCA_START_DEADLINE", "60"))
# For what a server does by itself soon after. How soon is for tests that have the machine alone.
SETTLE_DEADLINE = 30

_given = set()


def own_ports():
    """Ports below the ephemeral range, so that no outgoing connection can take one between its
    choice and its use; of several workers of pytest-xdist, each has its share."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % workers
    return range(12000 + worker, 32000, workers)


def free_port(address="127.0.0.1"):
    """A port free for TCP and UDP. Never given twice."""
    while True:
        port = random.SystemRandom().choice(own_ports())
        if port in _given:
            continue
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tcp.bind((address, port))
                udp.bind((address, port))
            except OSError:
                continue
        _given.add(port)
        return port


def wait_for(condition, deadline, what, pause=0.02):
    """Polls until condition() is true and returns its value; TimeoutError names `what`."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {deadline} s")
        time.sleep(pause)


def accepts(port, address="127.0.0.1"):
    with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1):
        return True
    return False


class Program:
    """A child process in a process group of its own, its output in `log`."""

    def __init__(self, argv, log, env=None, cwd=None):
        self.argv = [str(part) for part in argv]
        self.log = Path(log)
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                env=env, cwd=cwd, start_new_session=True)

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process.poll() is None

    def tail(self, octets=8000):
        data = self.log.read_bytes()
        return data[-octets:].decode(errors="replace")

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        return self.process.wait()

    def stop(self, deadline=30):
        """SIGTERM, and SIGKILL to the group past the deadline. Returns the exit code."""
        if self.running():
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self.process.wait()
            raise
