"""Thousands of slow connections do not keep an honest client waiting, and are dropped in time.

AGENTCA_SLOW: connections (5000); AGENTCA_SLOW_SECONDS: for how long (30).
"""

import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import time

import pytest

from acme_client import Client
from servers import HERE, AgentCa, Solver

pytestmark = [pytest.mark.needs_agentca, pytest.mark.alone]

CONNECTIONS = int(os.environ.get("AGENTCA_SLOW", "5000"))
SECONDS = int(os.environ.get("AGENTCA_SLOW_SECONDS", "30"))
DEADLINE = 10  # request-deadline of agentca.conf, in seconds
SANITISED = "/release/" not in os.environ["AGENTCA_BIN"]


@pytest.fixture
def roomy(tmp_path, challenges):
    """A server that starts with Debian's soft limit of descriptors, and raises it itself."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < CONNECTIONS + 1000:
        pytest.skip(f"no more than {hard} descriptors here")
    server = AgentCa(tmp_path / "ca", challenges)
    server.start(wrapper=["prlimit", f"--nofile=1024:{hard}"])
    yield server
    server.stop()


ECHO = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
stream = listener.accept()[0]
while octets := stream.recv(100):
    stream.send(octets)
"""


@pytest.fixture
def echo():
    """How long a process that has nothing to do takes to answer: what the machine adds, and the
    crowd's own hunger for its processors."""
    server = subprocess.Popen([sys.executable, "-c", ECHO], stdout=subprocess.PIPE, text=True)
    with socket.create_connection(("127.0.0.1", int(server.stdout.readline()))) as stream:
        yield lambda: stream.sendall(b"?") or stream.recv(1)
    server.wait(timeout=10)
    server.stdout.close()


def milliseconds(call):
    began = time.perf_counter()
    answer = call()
    return (time.perf_counter() - began) * 1000, answer


def measure(client, echo, until):
    """Latencies of a mixed diet on one kept-alive connection and, by turns, those of the echo."""
    calls = (lambda: client.request("HEAD", client.directory["newNonce"]),
             lambda: client.post(client.kid),
             lambda: client.get(client.directory_url))
    taken, echoed, statuses, number = [], [], set(), 0
    while not until():
        number += 1
        client.nonce() if not client.nonces else None
        took, response = milliseconds(calls[number % len(calls)])
        taken.append(took)
        statuses.add(response.status)
        echoed.append(milliseconds(echo)[0])
        time.sleep(0.005)  # about 150 requests a second: a client, not a load generator
    return taken, echoed, statuses


def percentile(values, share):
    return statistics.quantiles(values, n=1000)[int(share * 1000) - 1]


def test_slow_connections_keep_nobody_waiting_and_are_dropped(roomy, challenges, echo):
    client = Client(roomy.directory_url, str(roomy.root_file), solver=Solver(challenges))
    client.register()
    crowd = subprocess.Popen(
        [sys.executable, HERE / "slow_crowd.py", str(roomy.acme_port), str(roomy.http_port),
         str(CONNECTIONS), str(SECONDS)], stdout=subprocess.PIPE, text=True)
    try:
        assert crowd.stdout.readline() == "ready\n"
        taken, echoed, statuses = measure(client, echo, lambda: crowd.poll() is not None)
        seen = json.loads(crowd.stdout.read())
    finally:
        crowd.kill()
        crowd.wait()
    p99, machine = percentile(taken, 0.99), percentile(echoed, 0.99)
    print(f"{len(taken)} requests: p50 {statistics.median(taken):.2f} ms, p99 {p99:.2f} ms, "
          f"max {max(taken):.1f} ms; echo: p50 {statistics.median(echoed):.2f} ms, "
          f"p99 {machine:.2f} ms, max {max(echoed):.1f} ms; crowd {seen}")
    assert statuses <= {200, 204}
    assert len(taken) > 20 * SECONDS
    # What an idle process needs to answer at the same moments is not the server's doing.
    if not SANITISED:
        assert p99 < 15 + machine
    # Each is dropped at its deadline, and the next takes its place.
    assert seen["failed"] == 0
    assert seen["dropped"] > CONNECTIONS * (SECONDS // DEADLINE - 1)
    assert seen["longest"] < DEADLINE + 2 + seen["lag"]
    assert seen["held"] > CONNECTIONS * 0.9
    issued = client.obtain(["after.slow.test"])
    assert len(issued.chain) == 2
    client.close()


def test_honest_client_connects_anew_under_slow_connections(roomy, echo):
    """A new connection with its TLS handshake is admitted at once, also past the crowd."""

    def connect_anew():
        client = Client(roomy.directory_url, str(roomy.root_file))
        assert client.request("HEAD", client.directory["newNonce"]).status == 200
        client.close()

    crowd = subprocess.Popen(
        [sys.executable, HERE / "slow_crowd.py", str(roomy.acme_port), str(roomy.http_port), "2000",
         "12"], stdout=subprocess.PIPE, text=True)
    try:
        assert crowd.stdout.readline() == "ready\n"
        taken, echoed = [], []
        while crowd.poll() is None:
            taken.append(milliseconds(connect_anew)[0])
            echoed.append(milliseconds(echo)[0])
    finally:
        crowd.kill()
        crowd.wait()
    p99, machine = percentile(taken, 0.99), percentile(echoed, 0.99)
    print(f"{len(taken)} connections: p99 {p99:.1f} ms; echo: p99 {machine:.1f} ms")
    assert len(taken) > 50
    if not SANITISED:
        assert p99 < 100 + 5 * machine  # so many turns has a handshake and two requests
