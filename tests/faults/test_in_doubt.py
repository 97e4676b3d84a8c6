"""Each COMMIT in the life of a certificate is cut once, in each way, between a node and PostgreSQL:
before it arrives, when nobody knows, when it came to pass and only the answer is lost.
"""

import random
import time

import pytest

import checker
import evidence as look
import postgres
from history import History
from processes import wait_for
from proxy import Stage
from workload import Worker
from world import World

MOST = 60  # commits of one life, with those of the node's own that come between


@pytest.fixture
def world(tmp_path):
    if not postgres.installed():
        pytest.skip("PostgreSQL is not installed")
    with postgres.directory_for() as directory:
        made = World(directory, "postgres", 1, random.Random(0), with_disks=False, with_clocks=False)
        try:
            made.start()
            yield made
        finally:
            made.stop()


@pytest.mark.timeout(900)
def test_each_commit_of_a_life_is_cut_in_each_way(world):
    history, found = History(), look.Evidence()
    worker = Worker("life", world.nodes, world.challenges, history, random.Random(0))
    cuts = 0
    for stage in Stage:
        for nth in range(1, MOST):
            for proxy in world.store.proxies[0]:
                proxy.arm(stage, nth=nth)
            worker.client.kid = None  # each life begins with an account, new or not
            worker.register()
            certificate = worker.obtain(f"{stage.value}-{nth}.doubt.test")
            if certificate is not None:
                worker.revoke(certificate)
            # One of the two servers is the standby, which hears of no COMMIT.
            if all([proxy.disarm() for proxy in world.store.proxies[0]]):
                break
            cuts += 1
        else:
            pytest.fail(f"a life of more than {MOST} commits")
    assert cuts > 3 * 5, "a life has more commits than that"
    wait_for(lambda: look.unsettled(world.store) == 0, 60, "all is settled")
    worker.deadline = time.monotonic() + 60
    look.read_orders([worker], random.Random(0), found)
    look.read_store(world.store, found)
    look.read_logs(world.nodes, found)
    revoked = {look.serial_of(record) for record in found.records
               if record["revoked_at"] is not None and look.order_of(record)}
    look.wait_for_crls(world.nodes, look.crl_target(world.nodes[0]), revoked, 30, found)
    look.read_ocsp(world.nodes, worker.certificates, revoked, random.Random(0), found)
    found.faults += worker.unexpected + world.nodes[0].accidents
    print(f"{cuts} commits were cut, {len(worker.certificates)} certificates")
    assert checker.violations(history, found) == {}
