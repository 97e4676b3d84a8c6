"""A database that is away, read-only, silent or full: clear errors, /readyz says so, nothing is
signed that cannot be recorded, and all is well again by itself afterwards.
"""

import contextlib
import random
import time

import pytest

import evidence as look
import postgres
from history import History
from nodes import Disk
from processes import SETTLE_DEADLINE, wait_for
from workload import LOST, Worker
from world import World

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def world():
    if not postgres.installed():
        pytest.skip("PostgreSQL is not installed")
    with postgres.directory_for() as directory:
        made = World(directory, "postgres", 1, random.Random(0), with_disks=Disk.possible(directory),
                     with_clocks=False)
        try:
            made.start()
            yield made
        finally:
            made.remove()


@pytest.fixture
def worker(world):
    client = Worker("outage", world.nodes, world.challenges, History(), random.Random(0))
    client.register()
    assert client.obtain("before.outage.test") is not None
    return client


@contextlib.contextmanager
def refused(world):
    for proxy in world.store.proxies[0]:
        proxy.refuse()
    yield
    for proxy in world.store.proxies[0]:
        proxy.restore()


@contextlib.contextmanager
def silent(world):
    for proxy in world.store.proxies[0]:
        proxy.silence()
    yield
    for proxy in world.store.proxies[0]:
        proxy.restore()


@contextlib.contextmanager
def stopped(world):
    world.store.pair.primary.stop("fast")
    yield
    world.store.restart()


@contextlib.contextmanager
def read_only(world):
    def setting(value):
        world.store.pair.primary.psql(
            f"ALTER SYSTEM SET default_transaction_read_only = {value}", database="postgres")
        world.store.pair.primary.psql("SELECT pg_reload_conf()")
        wait_for(lambda: world.store.pair.primary.psql("SHOW default_transaction_read_only") ==
                 [[value]], 10, "the setting is read")
    setting("on")
    yield
    setting("off")


@contextlib.contextmanager
def full(world):
    if world.database_disk is None:
        pytest.skip("disk full: no right to mount a tmpfs here")
    world.database_disk.fill()
    yield
    world.database_disk.free()
    world.store.mend()


def signatures(world):
    found = look.Evidence()
    look.read_logs(world.nodes, found)
    assert found.broken_logs == []
    return sum(event["event"] == "key-use" and event["purpose"] == "certificate"
               for _, event in found.key_uses)


def answer_to(worker, url, payload):
    """Of one request; None when there is none within the client's patience."""
    with contextlib.suppress(*LOST):
        return worker.client.post(url, payload)
    worker.client.nonces.clear()
    return None


@pytest.mark.parametrize("outage", [refused, silent, stopped, read_only, full],
                         ids=lambda outage: outage.__name__)
def test_an_outage_is_told_and_passes(world, worker, outage):
    node = world.nodes[0]
    created = worker.send(worker.directory()["newOrder"],
                          {"identifiers": [{"type": "dns", "value": "during.outage.test"}]})
    url = created.location
    worker.orders[url] = "during.outage.test"
    worker.authorize(created.json)
    order = worker.wait(url, ("pending",)) if created.json["status"] == "pending" else created.json
    before = signatures(world)
    with outage(world):
        # What is full takes what fits into the room it has; that is over after some writes.
        answers = []

        def told():
            answers.append(answer_to(worker, worker.directory()["newOrder"],
                                     {"identifiers": [{"type": "dns", "value": "x.outage.test"}]}))
            return node.readyz(timeout=30) == 503
        wait_for(told, SETTLE_DEADLINE, "/readyz tells")
        assert node.running()
        refusals = [answer for answer in answers if answer is not None and answer.status >= 500]
        for answer in refusals:
            assert answer.status == 503 and answer.headers["Retry-After"], answer.body
            assert answer.problem == "serverInternal"
        if outage is not full:  # which has room for some rows yet
            lost = answer_to(worker, order["finalize"], worker.csr(url))
            assert lost is None or lost.status == 503 or lost.problem == "badNonce", lost.body
            assert signatures(world) == before, "nothing is signed that cannot be recorded"
    wait_for(node.ready, SETTLE_DEADLINE, "/readyz is well again")
    worker.deadline = time.monotonic() + SETTLE_DEADLINE
    worker.finish(url)
    assert worker.settled[url]["status"] in ("valid", "invalid")
    assert worker.obtain("after.outage.test") is not None
    wait_for(lambda: look.unsettled(world.store) == 0, SETTLE_DEADLINE, "all is settled")
    assert worker.unexpected == [] and node.accidents == []
