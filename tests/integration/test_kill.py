"""kill -9 of serve and of its signer: at random instants under load, across the whole length of a
finalize, and at each system call that makes a step of issuance durable or visible.

AGENTCA_KILLS: number of kills in the random run (200). AGENTCA_SEED: repeats a run.
"""

import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import threading
import time

import pytest

from acme_client import AcmeError, make_csr
from crash import INTERRUPTED, Worker, check
from servers import SETTLE_DEADLINE, AgentCa, Program, wait_for

pytestmark = [pytest.mark.needs_agentca, pytest.mark.long]

KILLS = int(os.environ.get("AGENTCA_KILLS", "200"))
WORKERS = 4


@pytest.fixture
def victim(tmp_path, challenges):
    server = AgentCa(tmp_path / "ca", challenges, serve=["--validation-attempts", "2"]).start()
    yield server
    server.stop()


@pytest.fixture
def load(victim, challenges):
    """Starts workers on the victim; they are stopped at the end."""
    finalizing = threading.Semaphore(0)
    workers = [Worker(victim, challenges, f"w{number}", finalizing) for number in range(WORKERS)]
    for worker in workers:
        worker.start()
    yield workers
    stop(workers)


def stop(workers):
    for worker in workers:
        worker.halt.set()
        worker.go.set()
    for worker in workers:
        worker.join(120)
        assert not worker.is_alive(), "a client hangs"


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] == "Z"


def kill_serve(victim, workers):
    """The signer, whose socket closes, ends by itself; a new serve takes over."""
    signer = victim.signer_pid()
    for worker in workers:
        worker.go.clear()
    victim.program.kill()
    if signer is not None:
        wait_for(lambda: gone(signer), SETTLE_DEADLINE, "the orphaned signer ends")
    victim.start()
    for worker in workers:
        worker.go.set()


def kill_signer(victim):
    """serve notices, starts another one, and is ready again without help."""
    signer = victim.signer_pid()
    if signer is not None:
        try:
            os.kill(signer, signal.SIGKILL)
        except ProcessLookupError:
            pass
    wait_for(lambda: victim.signer_pid() not in (None, signer) and victim.ready(), 60,
             "the signer is back")


def test_random_kills_under_load(victim, load):
    seed = int(os.environ.get("AGENTCA_SEED", random.SystemRandom().randrange(2 ** 32)))
    print(f"AGENTCA_SEED={seed} AGENTCA_KILLS={KILLS}")
    chance = random.Random(seed)
    wait_for(lambda: sum(len(w.durations) for w in load) >= 20, 120, "the load runs")
    length = statistics.median([d for worker in load for d in worker.durations])
    finalizing = load[0].finalizing
    done = {"serve": 0, "signer": 0}
    for number in range(KILLS):
        target = chance.choice(("serve", "serve", "signer"))
        if chance.random() < 0.5:  # at a point of a finalize; the sweep covers it evenly
            while finalizing.acquire(blocking=False):
                pass
            assert finalizing.acquire(timeout=60), "no client gets as far as finalize"
            time.sleep(1.5 * length * (number + chance.random()) / KILLS)
        else:
            time.sleep(chance.uniform(0, 0.2))
        kill_serve(victim, load) if target == "serve" else kill_signer(victim)
        done[target] += 1
    stop(load)
    orders = sum(len(worker.orders) for worker in load)
    certificates = sum(len(worker.certificates) for worker in load)
    revoked = sum(len(worker.revoked) for worker in load)
    print(f"{done}, {orders} orders, {certificates} certificates, {revoked} revocations")
    assert certificates > KILLS / 4 and revoked > KILLS / 20, "the load was idle"
    check(victim, load)


# ---- At each step, not at random ----------------------------------------------------------------
def can_trace():
    if shutil.which("strace") is None:
        return False
    done = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True)
    return done.returncode == 0


def attach(pid, injection, log):
    """strace on every thread of `pid`, that kills it at the given call."""
    tracer = Program(["strace", "-f", "-o", f"{log}.calls", "-e", f"inject={injection}",
                      "-e", f"trace={injection.split(':')[0]}", "-p", str(pid)], log)
    wait_for(lambda: not tracer.running() or re.search(r"attached", tracer.tail()), 30,
             "strace is attached")
    assert "attached" in tracer.tail(), tracer.tail()  # and perhaps something was called already
    return tracer


MOST_CALLS = 40


@pytest.mark.skipif(not can_trace(), reason="strace cannot trace here")
@pytest.mark.parametrize("call", ["fdatasync", "pwrite64", "sendmsg,writev,write"])
@pytest.mark.parametrize("target", ["serve", "signer"])
def test_kill_at_each_step_of_one_issuance(victim, challenges, tmp_path, target, call):
    """The n-th such call in the life of a finalize kills its process before it takes effect; n goes
    up until a finalize gets through."""
    worker = Worker(victim, challenges, "step", threading.Semaphore(0))
    killed = 0
    for number in range(1, MOST_CALLS):
        name = f"{target}-{call.split(',')[0]}-{number}.step.test"
        created = worker.client.new_order([name])
        worker.orders.append((created.location, name))
        worker.client.authorize(created.json)
        order = worker.client.fetch(created.location).json
        pid = victim.program.pid if target == "serve" else victim.signer_pid()
        tracer = attach(pid, f"{call}:signal=KILL:when={number}", tmp_path / f"strace-{number}")
        through = False
        try:
            answer = worker.client.finalize(order, make_csr([name], worker.key))
            if answer.status != 200:
                raise AcmeError(answer)
            worker.finish_download(created.location)
            through = True
        except INTERRUPTED:
            pass
        tracer.kill()
        if not through:  # a finalize may also get through: serve asks the next signer
            wait_for(lambda: gone(pid), SETTLE_DEADLINE, f"{target} is killed")
        if not gone(pid):
            break
        killed += 1
        worker.forget_connection()
        if target == "serve":
            kill_serve(victim, [])
        else:
            wait_for(lambda: victim.signer_pid() not in (None, pid) and victim.ready(), 60,
                     "the signer is back")
    else:
        pytest.fail(f"no finalize with fewer than {MOST_CALLS} calls of {call}")
    print(f"{killed} kills of {target} at {call}")
    check(victim, [worker])
    assert killed > 0 or call in NEVER.get(target, ()), f"{target} never calls {call} here"


# The signer writes its log with write, not pwrite64.
NEVER = {"signer": ("pwrite64",)}
