"""Thousands of slow connections do not keep an honest client waiting, and are dropped in time.

AGENTCA_SLOW: connections (5000); AGENTCA_SLOW_SECONDS: for how long (30).
"""

import json
import os
import resource
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


def measure(client, until):
    """Latencies, in milliseconds, of a mixed diet on one kept-alive connection."""
    calls = (lambda: client.request("HEAD", client.directory["newNonce"]),
             lambda: client.post(client.kid),
             lambda: client.get(client.directory_url))
    taken, statuses, number = [], set(), 0
    while not until():
        number += 1
        client.nonce() if not client.nonces else None
        began = time.perf_counter()
        response = calls[number % len(calls)]()
        taken.append((time.perf_counter() - began) * 1000)
        statuses.add(response.status)
        time.sleep(0.005)  # about 150 requests a second: a client, not a load generator
    return taken, statuses


def percentile(values, share):
    return statistics.quantiles(values, n=1000)[int(share * 1000) - 1]


def test_slow_connections_keep_nobody_waiting_and_are_dropped(roomy, challenges):
    client = Client(roomy.directory_url, str(roomy.root_file), solver=Solver(challenges))
    client.register()
    crowd = subprocess.Popen(
        [sys.executable, HERE / "slow_crowd.py", str(roomy.acme_port), str(roomy.http_port),
         str(CONNECTIONS), str(SECONDS)], stdout=subprocess.PIPE, text=True)
    try:
        assert crowd.stdout.readline() == "ready\n"
        taken, statuses = measure(client, lambda: crowd.poll() is not None)
        seen = json.loads(crowd.stdout.read())
    finally:
        crowd.kill()
        crowd.wait()
    p99 = percentile(taken, 0.99)
    print(f"{len(taken)} requests: p50 {statistics.median(taken):.2f} ms, p99 {p99:.2f} ms, "
          f"max {max(taken):.1f} ms; crowd {seen}")
    assert statuses <= {200, 204}
    assert len(taken) > 20 * SECONDS
    if not SANITISED:
        assert p99 < 15
    # Each is dropped at its deadline, and the next takes its place.
    assert seen["failed"] == 0
    assert seen["dropped"] > CONNECTIONS * (SECONDS // DEADLINE - 1)
    assert seen["longest"] < DEADLINE + 2 + seen["lag"]
    assert seen["held"] > CONNECTIONS * 0.9
    issued = client.obtain(["after.slow.test"])
    assert len(issued.chain) == 2
    client.close()


def test_honest_client_connects_anew_under_slow_connections(roomy):
    """A new connection with its TLS handshake is admitted at once, also past the crowd."""
    crowd = subprocess.Popen(
        [sys.executable, HERE / "slow_crowd.py", str(roomy.acme_port), str(roomy.http_port), "2000",
         "12"], stdout=subprocess.PIPE, text=True)
    try:
        assert crowd.stdout.readline() == "ready\n"
        taken = []
        while crowd.poll() is None:
            began = time.perf_counter()
            client = Client(roomy.directory_url, str(roomy.root_file))
            assert client.request("HEAD", client.directory["newNonce"]).status == 200
            client.close()
            taken.append((time.perf_counter() - began) * 1000)
    finally:
        crowd.kill()
        crowd.wait()
    print(f"{len(taken)} connections: p99 {percentile(taken, 0.99):.1f} ms")
    assert len(taken) > 50
    if not SANITISED:
        assert percentile(taken, 0.99) < 100
