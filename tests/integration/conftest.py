"""Fixtures: pebble-challtestsrv as the world outside, and agentca in front of it.

AGENTCA_BIN names the program under test (default: the release build of this tree).
AGENTCA_TEST_SERVER=pebble runs the tests of stock clients against Debian's pebble instead.
"""

import contextlib
import os
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from acme_client import Client  # noqa: E402
from servers import ROOT, AgentCa, ChallengeServer, Pebble, Solver  # noqa: E402

SANITIZER = re.compile(r"(?:ERROR|WARNING): \w+Sanitizer.*|.*: runtime error: .*")
AGAINST_PEBBLE = os.environ.get("AGENTCA_TEST_SERVER") == "pebble"


def pytest_configure(config):
    os.environ.setdefault("AGENTCA_BIN", str(ROOT / "build/release/acme/agentca"))
    for marker in ("needs_agentca: looks at agentca itself, not at RFC 8555",
                   "alone: measures time, and has the machine to itself (contrib/check)",
                   "long: begins first, so that no worker of pytest-xdist ends long after the others"):
        config.addinivalue_line("markers", marker)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
    for item in items:
        if AGAINST_PEBBLE and item.get_closest_marker("needs_agentca"):
            item.add_marker(pytest.mark.skip(reason="AGENTCA_TEST_SERVER is pebble"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the end of the log of every server it used."""
    report = (yield).get_result()
    if report.failed:
        for name in ("agentca", "own_agentca", "challenges"):
            server = getattr(item, "funcargs", {}).get(name)
            program = getattr(server, "program", None)
            if program is not None:
                octets = 1500 if name == "challenges" else 6000
                report.sections.append((f"log of {name} ({program.log})", program.tail(octets)))


@pytest.fixture(scope="session")
def challenges(tmp_path_factory):
    server = ChallengeServer(tmp_path_factory.mktemp("challtestsrv"))
    yield server
    server.stop()


def stop_soundly(server):
    """A server that is asked to end ends with 0, and no sanitizer had a word to say."""
    code = server.stop()
    if not AGAINST_PEBBLE:
        assert code in (0, -9), f"agentca serve ended with {code}\n{server.program.tail()}"
        faults = SANITIZER.findall(server.log.read_text(errors="replace"))
        assert not faults, f"{faults[:5]} in {server.log}"


@pytest.fixture(scope="session")
def agentca(tmp_path_factory, challenges):
    """One running server that tests share: none of them may stop it or change its directory."""
    directory = tmp_path_factory.mktemp("shared") / "ca"
    server = (Pebble if AGAINST_PEBBLE else AgentCa)(directory, challenges).start()
    yield server
    stop_soundly(server)


@pytest.fixture
def own_agentca(tmp_path, challenges):
    """A started server of the test's own, to stop, kill and reconfigure."""
    server = AgentCa(tmp_path / "ca", challenges).start()
    yield server
    stop_soundly(server)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, challenges):
    """Three nodes on a PostgreSQL of their own. A test that stops one starts it again."""
    from cluster import Cluster, postgres
    if not postgres.installed():
        pytest.skip("PostgreSQL is not installed")
    with postgres.directory_for() as directory, contextlib.ExitStack() as ends:
        database = postgres.Server(directory, settings={"max_connections": 200}).create()
        ends.callback(database.stop, "immediate")
        database.start()
        cluster = Cluster(tmp_path_factory.mktemp("cluster"), challenges, database.uri())
        cluster.database = database
        for node in cluster.nodes:
            ends.callback(stop_soundly, node)
        cluster.start()
        yield cluster


@pytest.fixture
def new_client(agentca, challenges):
    """Makes raw ACME clients of the shared server: new_client(key=...), not registered yet."""
    clients = []

    def make(**arguments):
        client = Client(agentca.directory_url, str(agentca.root_file), solver=Solver(challenges),
                        **arguments)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(new_client):
    """A registered client."""
    client = new_client()
    client.register()
    return client
