"""Where the nodes of a run keep what they know, with the faults that each store can have."""

import json
import sqlite3

import postgres
from processes import wait_for
from proxy import Proxy


class Sqlite:
    """A file, for one node."""

    kind = "sqlite"
    proxies = ()

    def __init__(self, directory):
        self.file = directory / "agentca.sqlite"

    def uri(self, node=None):
        return f"sqlite:{self.file}"

    def rows(self, statement):
        with sqlite3.connect(f"file:{self.file}?mode=ro", uri=True, timeout=30) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(statement)]

    def healthy(self):
        return True

    def stop(self):
        pass


class Postgres:
    """A synchronous pair; each node reaches each server through a proxy of its own."""

    kind = "postgres"

    def __init__(self, directory, nodes):
        self.pair = postgres.Pair(directory)
        servers = sorted((self.pair.primary, self.pair.standby), key=lambda server: server.name)
        self.proxies = [[Proxy(server.port).start() for server in servers] for _ in range(nodes)]

    def uri(self, node=None):
        """`node`: its number; None: without a proxy."""
        if node is None:
            return self.pair.uri(connect_timeout=5)
        return postgres.uri(*self.proxies[node], connect_timeout=5)

    def rows(self, statement):
        # Binary columns come as hexadecimal text; nothing else in these tables begins with \x.
        found = self.pair.primary.psql(f"SELECT row_to_json(t) FROM ({statement}) t")
        return [{name: bytes.fromhex(value[2:]) if isinstance(value, str)
                 and value.startswith("\\x") else value for name, value in json.loads(row).items()}
                for (row,) in found]

    def healthy(self):
        return self.pair.primary.running() and self.pair.primary.ready()

    def restart(self, deadline=120):
        """The primary, after whatever ended it."""
        if not self.pair.primary.running():
            self.pair.primary.launch()
        wait_for(self.healthy, deadline, "PostgreSQL answers", 0.1)

    def mend(self):
        """Both servers run, and commits wait for the standby again."""
        self.restart()
        if not self.pair.standby.running():
            self.pair.restore_standby()
        self.pair.wait_in_sync()

    def stop(self):
        for of_node in self.proxies:
            for proxy in of_node:
                proxy.stop()
        self.pair.stop()
