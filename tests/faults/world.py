"""All that a run needs, in one directory: challenge server, store, nodes, balancer; and how it is made
whole again.
"""

import contextlib
import shutil
import time
from pathlib import Path

import balancer
import postgres
from nodes import FAKETIME, Disk, Node
from servers import ChallengeServer
from stores import Postgres, Sqlite

NODE_DISK, DATABASE_DISK = 192, 768  # megabytes of the small disks


class World:
    """Challenge server, store and nodes in one directory, with all that can strike them."""

    def __init__(self, directory, kind, count, chance, with_disks=True, with_clocks=True):
        self.directory, self.chance = Path(directory), chance
        self.began = time.monotonic()
        self.able, self.missing = self._abilities(with_disks, with_clocks)
        self.disks, self.database_disk, self.nodes, self.store = [], None, [], None
        self.balancer = None
        self.challenges = ChallengeServer(self.directory)
        try:
            self._make(kind, count)
        except BaseException:
            self.remove()
            raise

    def _abilities(self, disks, clocks):
        able, missing = set(), []
        if disks and Disk.possible(self.directory):
            able.add("disk")
        elif disks:
            missing.append("disk full: no right to mount a tmpfs here")
        if clocks and FAKETIME is not None:
            able.add("clock")
        elif clocks:
            missing.append("clock jumps: libfaketime is not installed")
        return able, missing

    def _make(self, kind, count):
        homes = [self.directory / f"home-{number}" for number in range(count)]
        for home in homes:
            home.mkdir()
            if "disk" in self.able:
                self.disks.append(Disk(home, NODE_DISK))
        if kind == "sqlite":
            assert count == 1, "SQLite serves one node"
            self.store = Sqlite(homes[0])
        else:
            place = self.directory / "postgres"
            _, uid, gid = postgres.unprivileged()
            if "disk" in self.able:
                self.database_disk = Disk(place, DATABASE_DISK, (uid, gid))
            self.store = Postgres(place, count)
        for number, home in enumerate(homes):
            serve_at = self.store.uri(number if kind == "postgres" else None)
            self.nodes.append(Node(
                number, home / "ca", self.challenges, self.store.uri(), serve_at,
                first=self.nodes[0] if self.nodes else None, with_clock="clock" in self.able))

        if count > 1 and balancer.installed():
            self.balancer = balancer.Balancer(self.directory, self.nodes)

    def clock(self):
        return time.monotonic() - self.began

    def start(self):
        for node in self.nodes:
            node.start()
        self.began = time.monotonic()

    def mend(self):
        """Every fault is over: nothing is full, silent, paused, late or down. Time catches up with
        whoever leapt ahead: what was published then must not be followed by something older, and
        that a clock stays behind it is believed after an hour only (ca/clock_guard.h)."""
        for disk in filter(None, [*self.disks, self.database_disk]):
            disk.free()
        for of_node in self.store.proxies:
            for proxy in of_node:
                proxy.restore()
        caught_up = max((node.clock.furthest for node in self.nodes if node.clock), default=0)
        for node in self.nodes:
            if node.clock:
                node.clock.set(caught_up)
            node.resume()
        if self.store.kind == "postgres":
            self.store.mend()
        for node in self.nodes:
            if not node.wanted:
                node.launch()

    def stop(self):
        for node in self.nodes:
            node.wanted = False
            if node.program is None:
                continue
            node.resume()
            with contextlib.suppress(Exception):
                node.stop()
        if self.balancer is not None:
            self.balancer.stop()
        if self.store is not None:
            self.store.stop()
        self.challenges.stop()

    def remove(self, keep=False):
        """`keep`: what lies on the small disks is copied to beside them."""
        self.stop()
        for disk in filter(None, [*self.disks, self.database_disk]):
            if keep:
                shutil.copytree(disk.path, disk.path.with_suffix(".kept"), symlinks=True,
                                ignore=shutil.ignore_patterns("ballast"))
            disk.remove()
