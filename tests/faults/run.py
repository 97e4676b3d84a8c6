#!/usr/bin/env python3
"""Faults against a running CA, and the verdict on what it kept: run.py --help.

Clients (workload.py) obtain and revoke certificates through every node while the faults of a seeded
plan (schedule.py, strikes.py) strike nodes, signers, clocks, disks, connections and PostgreSQL.
Then the world is mended, every order must settle within SETTLE seconds, and a checker (checker.py)
compares what clients were told with store, key-usage logs, CRLs and OCSP of every node.
"""

import argparse
import contextlib
import os
import random
import re
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

import checker  # noqa: E402
import evidence as look  # noqa: E402
import schedule  # noqa: E402
from history import OK, UNKNOWN, History  # noqa: E402
from processes import ROOT, wait_for  # noqa: E402
from strikes import Striker  # noqa: E402
from workload import LOST, Worker  # noqa: E402
from world import World  # noqa: E402

READY = 60    # seconds after the last fault until every node is ready
SETTLE = 60   # and then until every order, intent and validation is settled
PUBLISH = 30  # and then until each CRL lists every revocation
SANITIZER = re.compile(r"(?:ERROR|WARNING): \w+Sanitizer.*|.*: runtime error: .*")


class Watch(threading.Thread):
    """While the faults last: starts nodes that ended, and reads CRL and OCSP of every node, so that
    their caches are warm with answers that a revocation makes wrong."""

    def __init__(self, world, workers, history):
        super().__init__(daemon=True)
        self.world, self.workers, self.history = world, workers, history
        self.halt = threading.Event()
        self.target = look.crl_target(world.nodes[0])

    def run(self):
        chance = random.Random(0)
        while not self.halt.wait(0.25):
            for node in self.world.nodes:
                node.supervise()
                with contextlib.suppress(*LOST, AssertionError):
                    self.read(node, chance)

    def read(self, node, chance):
        number, digest, _ = look.read_crl(node, self.target, timeout=1)
        self.history.add("crl", node=node.number, number=number, sha256=digest)
        worker = chance.choice(self.workers)
        for serial in list(worker.certificates)[-3:]:
            status = look.ask_ocsp(node, worker.certificates[serial], timeout=1)
            self.history.add("ocsp", node=node.number, serial=f"{serial:x}", status=status)

    def stop(self):
        self.halt.set()
        self.join(60)


class Run:
    """One run from set-up to verdict. `violations`: {check: what it found}."""

    def __init__(self, options, directory):
        self.options = options
        self.history = History(Path(directory) / "history.jsonl")
        self.figures = {}
        self.violations = {}
        self.evidence = None
        self.done = False
        chance = random.Random(f"{options.seed}/world")
        self.world = World(directory, options.store, options.nodes, chance)
        self.plan = schedule.plan(options.seed, options.seconds, options.nodes, options.store,
                                  self.world.able, options.only)
        self.striker = Striker(self.world, self.plan, self.history)
        self.workers = []

    def go(self):
        try:
            self.world.start()
            self.workers = [
                Worker(f"w{number}", self.world.nodes, self.world.challenges, self.history,
                       random.Random(f"{self.options.seed}/worker/{number}"), self.world.balancer)
                for number in range(self.options.clients)]
            watch = Watch(self.world, self.workers, self.history)
            for thread in (*self.workers, watch):
                thread.start()
            self.world.began = time.monotonic()
            self.striker.start()
            threading.Event().wait(self.options.seconds)
            self.striker.stop()
            self.evidence = self._afterwards(watch)
            self.violations = checker.violations(self.history, self.evidence)
            self.done = True
        finally:
            for worker in self.workers:
                worker.halt.set()
            self.world.remove(bool(self.violations or self.options.keep or not self.done))
            self.history.close()
        return self

    def _afterwards(self, watch):
        found = look.Evidence()
        self.world.mend()
        mended = time.monotonic()
        found.faults += self._within(READY, "every node is ready", lambda: all(
            node.ready() for node in self.world.nodes))
        self.figures["ready again after"] = f"{time.monotonic() - mended:.1f} s"
        for worker in self.workers:
            worker.halt.set()
        for worker in self.workers:
            worker.join(90)
            if worker.is_alive():
                found.faults.append(f"client {worker.name} hangs")
        began = time.monotonic()
        settlers = [threading.Thread(target=self._settle, args=(worker, began + SETTLE, found))
                    for worker in self.workers]
        for thread in settlers:
            thread.start()
        for thread in settlers:
            thread.join()
        found.faults += self._within(max(1, began + SETTLE - time.monotonic()), "all is settled",
                                     lambda: look.unsettled(self.world.store) == 0)
        self.figures["settled after"] = f"{time.monotonic() - mended:.1f} s"
        found.faults += self._revocation_spreads()
        watch.stop()
        self._collect(found)
        return found

    def _settle(self, worker, deadline, found):
        try:
            worker.settle(deadline)
        except Exception as error:  # noqa: BLE001: shown with the verdict
            found.faults.append(f"client {worker.name}: {error!r}")

    def _within(self, deadline, what, condition):
        try:
            wait_for(condition, deadline, what, 0.1)
        except TimeoutError as error:
            return [str(error)]
        return []

    def _revocation_spreads(self):
        """How long after an acknowledged revocation another node's warm OCSP cache says so."""
        slowest, faults = 0.0, []
        for node in self.world.nodes:
            worker = self.workers[node.number % len(self.workers)]
            worker.deadline = time.monotonic() + SETTLE
            worker.client.pinned = node.number
            try:
                certificate = worker.obtain(f"calm-{node.number}.faults.test")
                for other in self.world.nodes:
                    look.ask_ocsp(other, certificate)
                worker.revoke(certificate)
                acknowledged = time.monotonic()
                for other in self.world.nodes:
                    faults += self._within(self.options.spread, f"node {other.number} says revoked",
                                           lambda other=other: look.ask_ocsp(
                                               other, certificate) == "revoked")
                slowest = max(slowest, time.monotonic() - acknowledged)
            except Exception as error:  # noqa: BLE001: shown with the verdict
                faults.append(f"node {node.number} does not work: {error!r}")
            worker.client.pinned = None
        self.figures["revocation seen by every node after"] = f"{slowest:.2f} s"
        return faults

    def _collect(self, found):
        world, chance = self.world, random.Random(f"{self.options.seed}/evidence")
        for worker in self.workers:
            worker.deadline = time.monotonic() + SETTLE
        try:
            look.read_orders(self.workers, chance, found)
        except Exception as error:  # noqa: BLE001: shown with the verdict
            found.faults.append(f"orders cannot be read: {error!r}")
        look.read_store(world.store, found)
        certificates = {serial: der for worker in self.workers
                        for serial, der in worker.certificates.items()}
        revoked = {look.serial_of(record) for record in found.records
                   if record["revoked_at"] is not None and look.order_of(record)}
        look.wait_for_crls(world.nodes, look.crl_target(world.nodes[0]), revoked, PUBLISH, found)
        look.read_ocsp(world.nodes, certificates, revoked, chance, found)
        look.read_logs(world.nodes, found)
        found.faults += self.striker.problems
        for worker in self.workers:
            found.faults += worker.unexpected
        for node in world.nodes:
            found.faults += node.accidents
            words = SANITIZER.findall(node.log.read_text(errors="replace"))
            found.faults += [f"node {node.number}: {word}" for word in words[:5]]
        self._count(found)

    def _count(self, found):
        count = lambda what, outcome=None: len(self.history.of(what, outcome))  # noqa: E731
        state = Counter(record["state"] for record in found.records if look.order_of(record))
        self.figures.update({
            "orders acknowledged": count("order", OK), "whose answer was lost":
            count("order", UNKNOWN), "certificates issued": state[look.ISSUED],
            "serials abandoned": state[look.ABANDONED], "revocations acknowledged":
            len({event["serial"] for event in self.history.of("revoke", OK)}),
            "requests replayed": count("replay"), "CRLs read": count("crl"),
            "OCSP answers read": count("ocsp") + len(found.ocsp),
            "starts refused": sum(node.refused_starts for node in self.world.nodes),
            "faults": dict(sorted(Counter(self.striker.done).items()))})

    def report(self, stream=sys.stdout):
        for name, value in self.figures.items():
            print(f"  {name}: {value}", file=stream)
        for reason in self.world.missing:
            print(f"  not tried: {reason}", file=stream)
        for check, found in self.violations.items():
            print(f"VIOLATION {check}: {len(found)}", file=stream)
            for line in found[:10]:
                print(f"    {line}", file=stream)
        verdict = "violated" if self.violations else "no violation"
        print(f"seed {self.options.seed}: {verdict}", file=stream, flush=True)


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, help="repeats the plan of an earlier run")
    parser.add_argument("--seconds", type=float, default=60, help="how long faults strike (60)")
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--only", action="append", default=[], metavar="FAULT",
                        help="no other faults; may be given several times")
    parser.add_argument("--spread", type=float, default=5, help="longest time, in seconds, until "
                        "every node's OCSP knows of a revocation (5: a busy machine)")
    parser.add_argument("--keep", metavar="DIR", help="leave logs and history there")
    parser.add_argument("--plan", action="store_true", help="show the plan and end")
    options = parser.parse_args(arguments)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(2 ** 32)
    return options


def perform(options):
    """A Run, done, after printing how to repeat it. Its logs stay only when asked for or needed."""
    os.environ.setdefault("AGENTCA_BIN", str(ROOT / "build/release/acme/agentca"))
    directory = Path(options.keep or tempfile.mkdtemp(prefix="agentca-faults-"))
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o755)
    print(f"run.py --seed {options.seed} --seconds {options.seconds:g} --store {options.store} "
          f"--nodes {options.nodes} --clients {options.clients}", flush=True)
    run = Run(options, directory)
    print("\n".join(map(str, run.plan)), flush=True)
    run.go()
    run.report()
    if not options.keep:
        if run.violations:
            print(f"logs and history: {directory}", flush=True)
        else:
            shutil.rmtree(directory, ignore_errors=True)
    return run


def main(arguments):
    options = parse(arguments)
    if options.plan:
        able = {"disk", "clock"}
        print("\n".join(map(str, schedule.plan(options.seed, options.seconds, options.nodes,
                                               options.store, able, options.only))))
        return 0
    return 1 if perform(options).violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
