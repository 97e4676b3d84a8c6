"""Runs of the fault harness (run.py) with a verdict, and what it stands on.

AGENTCA_FAULT_SECONDS: how long the faults of each run last (60). AGENTCA_FAULT_SEED: repeats a run.
AGENTCA_FAULT_NODES: nodes on PostgreSQL (3).
"""

import os
import random
import subprocess
import sys

import pytest

import postgres
import run as harness
import schedule
from nodes import FAKETIME, Disk

SECONDS = float(os.environ.get("AGENTCA_FAULT_SECONDS", "60"))
SEED = int(os.environ.get("AGENTCA_FAULT_SEED", random.SystemRandom().randrange(2 ** 32)))
NODES = int(os.environ.get("AGENTCA_FAULT_NODES", "3"))


@pytest.mark.long
@pytest.mark.timeout(SECONDS + 900)
@pytest.mark.parametrize("store, nodes", [
    pytest.param("sqlite", 1, id="sqlite"),
    pytest.param("postgres", NODES, id="postgres", marks=pytest.mark.skipif(
        not postgres.installed(), reason="PostgreSQL is not installed"))])
def test_nothing_is_lost_and_nothing_issued_twice(store, nodes):
    options = harness.parse(["--seed", str(SEED), "--seconds", str(SECONDS), "--store", store,
                             "--nodes", str(nodes)])
    run = harness.perform(options)
    assert run.violations == {}
    assert run.figures["certificates issued"] > SECONDS / 4, "the clients were idle"
    assert run.figures["revocations acknowledged"] > SECONDS / 20
    planned = {strike.name for strike in run.plan if strike.at < SECONDS / 2}
    assert planned <= set(run.figures["faults"]), "the faults stuck"


@pytest.mark.parametrize("fault, possible", [
    ("disk full", lambda place: Disk.possible(place)),
    ("clock jumps", lambda _: FAKETIME is not None)])
def test_a_fault_can_be_made_here(tmp_path, fault, possible):
    """Skipped where a run leaves it out, so that the count of skipped tests tells."""
    if not possible(tmp_path):
        pytest.skip(f"{fault}: not possible here")


def test_every_fault_of_a_minute_is_planned():
    for seed in range(20):
        plan = schedule.plan(seed, 60, 3, "postgres", {"disk", "clock"})
        assert len({strike.name for strike in plan}) > 15


@pytest.fixture
def pair():
    if not postgres.installed():
        pytest.skip("PostgreSQL is not installed")
    with postgres.directory_for() as directory:
        servers = postgres.Pair(directory)
        yield servers
        servers.stop()


def test_a_fail_over_keeps_every_acknowledged_commit(pair):
    """Of the harness's own database: what it loses would be blamed on the CA."""
    pair.primary.psql("CREATE TABLE kept (number int)")
    for number in range(6):
        pair.primary.psql(f"INSERT INTO kept VALUES ({number})")
        if number % 2:
            pair.fail_over()
            assert pair.primary.psql("SELECT count(*) FROM kept") == [[str(number + 1)]]
            pair.restore_standby()
    pair.primary.kill()
    pair.primary.start()
    assert pair.primary.psql("SELECT count(*) FROM kept") == [["6"]]


def test_a_server_is_for_one_command(tmp_path):
    """postgres.py as a program, as the C++ tests use it."""
    if not postgres.installed():
        pytest.skip("PostgreSQL is not installed")
    done = subprocess.run([sys.executable, postgres.__file__, "run", "--", "sh", "-c",
                           'psql -qAt -c "SELECT 40 + 2" "$AGENTCA_TEST_POSTGRES"; exit 5'],
                          capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (5, "42\n"), done.stderr
