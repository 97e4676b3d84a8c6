"""The proxy does what it says, as a client and PostgreSQL themselves see it."""

import subprocess
import time

import pytest

import postgres
from processes import wait_for
from proxy import Proxy, Stage


@pytest.fixture
def proxy(database):
    database.psql("CREATE TABLE seen (name text)")
    between = Proxy(database.port).start()
    yield between
    between.stop()


def psql(port, statement, timeout=20):
    return subprocess.run(["psql", "-X", "-q", "-A", "-t", "-c", statement,
                           f"{postgres.uri(port)}?connect_timeout=5"],
                          capture_output=True, text=True, timeout=timeout)


def insert(proxy, name):
    return psql(proxy.port, f"BEGIN; INSERT INTO seen VALUES ('{name}'); COMMIT")


def seen(database, name):
    return database.psql(f"SELECT count(*) FROM seen WHERE name = '{name}'") == [["1"]]


def test_without_faults_it_forwards(proxy, database):
    assert insert(proxy, "plain").returncode == 0
    assert seen(database, "plain")


@pytest.mark.parametrize("stage", list(Stage))
def test_a_commit_is_cut(proxy, database, stage):
    proxy.arm(stage)
    done = insert(proxy, stage.value)
    assert done.returncode != 0 and "closed the connection" in done.stderr, done
    if stage is not Stage.BEFORE:
        wait_for(lambda: seen(database, stage.value), 10, "the server committed all the same")
    assert seen(database, stage.value) == (stage is not Stage.BEFORE)
    assert not proxy.disarm()
    assert proxy.counts == {f"cut {stage.value}" if stage is Stage.BEFORE
                            else f"cut when {stage.value}": 1}
    assert insert(proxy, "after").returncode == 0


def test_a_connection_is_cut_at_an_octet(proxy, database):
    proxy.cut_after(200)
    assert psql(proxy.port, "SELECT repeat('x', 100000)").returncode != 0
    assert proxy.counts["cut at octet"] == 1
    assert insert(proxy, "later").returncode == 0


def test_every_connection_is_cut(proxy, database):
    with subprocess.Popen(["psql", "-X", "-q", postgres.uri(proxy.port), "-c",
                           "SELECT pg_sleep(60)"], stderr=subprocess.PIPE) as client:
        wait_for(lambda: database.psql("SELECT 1 FROM pg_stat_activity WHERE query LIKE "
                                       "'%pg_sleep(60)%' AND pid <> pg_backend_pid()"), 10,
                 "the statement runs")
        assert proxy.cut() == 1
        assert client.wait(10) != 0


def test_it_refuses_until_restored(proxy, database):
    proxy.refuse()
    refused = psql(proxy.port, "SELECT 1")
    assert refused.returncode != 0 and "refused" in refused.stderr
    proxy.restore()
    assert insert(proxy, "restored").returncode == 0


def test_silence_holds_and_then_delivers(proxy, database):
    proxy.silence()
    with subprocess.Popen(["psql", "-X", "-q", postgres.uri(proxy.port), "-c",
                           "INSERT INTO seen VALUES ('late')"]) as client:
        with pytest.raises(subprocess.TimeoutExpired):
            client.wait(0.5)
        assert not seen(database, "late")
        proxy.restore()
        assert client.wait(10) == 0
    assert seen(database, "late")


def test_delays_add_up(proxy):
    proxy.delay(0.2)
    began = time.monotonic()
    assert psql(proxy.port, "SELECT 1").returncode == 0
    assert time.monotonic() - began > 0.4
