#!/usr/bin/env python3
"""Real PostgreSQL servers, of Debian's package, in directories of their own; and, as a program:

    postgres.py run [--standby] [--set NAME=VALUE]... [DIR] -- COMMAND...

starts one (with settings other than the small ones of tests; in DIR the one that is there), runs COMMAND with its address in AGENTCA_TEST_POSTGRES, stops it and exits as COMMAND
did; 77 (what ctest and automake call skipped) when PostgreSQL is not installed.

fsync is on and every commit is durable, as in production. Whoever reaches the loopback port is
trusted: the servers hold nothing but tests. PostgreSQL refuses to run as root, so that root starts
them as `postgres` (or `nobody`), in a directory that user can reach.
"""

import argparse
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from processes import START_DEADLINE, Program, free_port, wait_for  # noqa: E402

USER, DATABASE = "agentca", "agentca"
SKIPPED = 77
SETTINGS = {
    "listen_addresses": "127.0.0.1", "fsync": "on", "synchronous_commit": "on",
    "full_page_writes": "on", "shared_buffers": "32MB", "max_connections": "60",
    "max_wal_senders": "4", "max_replication_slots": "4", "wal_level": "replica",
    "hot_standby": "on", "wal_log_hints": "on", "min_wal_size": "32MB", "max_wal_size": "64MB",
    "max_slot_wal_keep_size": "256MB", "timezone": "UTC", "log_checkpoints": "off",
    "log_min_messages": "warning", "restart_after_crash": "on", "recovery_init_sync_method": "syncfs",
    "wal_retrieve_retry_interval": "500ms", "dynamic_shared_memory_type": "mmap",
}


def programs():
    """The newest installed version's directory of programs, or None."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(found, key=lambda path: int(path.parent.name), default=None)


def installed():
    return programs() is not None


def unprivileged():
    """(prefix of a command that runs as another user, uid, gid); of no effect unless root."""
    if os.geteuid() != 0:
        return [], os.geteuid(), os.getegid()
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            user = pwd.getpwnam(name)
            return (["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}",
                     "--clear-groups", "--"], user.pw_uid, user.pw_gid)
    raise RuntimeError("neither postgres nor nobody is a user of this machine")


def children(pid):
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def uri(*servers, **options):
    """A libpq URI. Of several servers a client takes the one that accepts writes."""
    hosts = ",".join(f"127.0.0.1:{getattr(server, 'port', server)}" for server in servers)
    if len(servers) > 1:
        options.setdefault("target_session_attrs", "read-write")
    query = "&".join(f"{name}={value}" for name, value in options.items())
    return f"postgresql://{USER}@{hosts}/{DATABASE}" + (f"?{query}" if query else "")


class Server:
    """One data directory and, between start() and stop(), its postmaster."""

    def __init__(self, directory, name="postgres", settings=None):
        self.bin = programs()
        self.directory = Path(directory)
        self.name = name
        self.data = self.directory / name
        self.log = self.directory / f"{name}.log"
        self.port = free_port()
        self.settings = {**SETTINGS, **(settings or {})}
        self.prefix, self.uid, self.gid = unprivileged()
        self.program = None

    # -- making one --
    def create(self):
        """A new, empty cluster with one database, not running."""
        self._own_directory()
        self._must("initdb", "--pgdata", self.data, "--username", USER, "--auth", "trust",
                   "--encoding", "UTF8", "--locale", "C", "--no-instructions", "--data-checksums",
                   "--wal-segsize", "1", "--no-sync")
        self._configure()
        self._must("postgres", "--single", "-D", self.data, "-c", "fsync=off", "postgres",
                   input=f"CREATE DATABASE {DATABASE}\n")
        return self

    def resume(self):
        """The cluster that an earlier one left, not running, with the settings and port of this."""
        self._configure()
        return self

    def follow(self, primary):
        """A new streaming replica of a running primary, not running. The primary's log is kept for
        it by a slot."""
        self._own_directory()
        primary.psql(f"SELECT pg_drop_replication_slot('{self.name}') FROM pg_replication_slots "
                     f"WHERE slot_name = '{self.name}'")
        self._must("pg_basebackup", "--pgdata", self.data, "--wal-method", "stream",
                   "--write-recovery-conf", "--checkpoint", "fast", "--no-sync", "--create-slot",
                   "--slot", self.name, "--dbname", f"host=127.0.0.1 port={primary.port} user={USER} "
                               f"application_name={self.name}")
        self._configure()
        return self

    def _own_directory(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(self.directory, self.uid, self.gid)
        probe = subprocess.run([*self.prefix, "test", "-w", self.directory], capture_output=True)
        if probe.returncode != 0:
            raise RuntimeError(f"user {self.uid} cannot reach {self.directory}")

    def _configure(self):
        lines = [f"{name} = '{value}'" for name, value in
                 {**self.settings, "port": self.port, "cluster_name": self.name,
                  "unix_socket_directories": ""}.items()]
        (self.data / "postgresql.conf").write_text("\n".join(lines) + "\n")
        auto = self.data / "postgresql.auto.conf"  # of a replica: whom it follows, nothing else
        kept = [line for line in auto.read_text().splitlines() if line.startswith("primary_")]
        auto.write_text("\n".join(kept) + "\n")

    def _must(self, program, *arguments, input="", timeout=120):
        done = subprocess.run([*self.prefix, str(self.bin / program), *map(str, arguments)],
                              input=input, capture_output=True, text=True, timeout=timeout, cwd="/")
        if done.returncode != 0:
            raise RuntimeError(f"{program} exited {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    # -- life --
    def launch(self):
        """Starts without waiting."""
        self.program = Program([*self.prefix, self.bin / "postgres", "-D", self.data], self.log,
                               cwd="/")

    def start(self, deadline=START_DEADLINE):
        self.launch()

        def up():
            if not self.program.running():
                raise RuntimeError(f"{self.name} did not start\n{self.program.tail()}")
            return self.ready()

        wait_for(up, deadline, f"{self.name} answers", 0.05)
        return self

    def running(self):
        return self.program is not None and self.program.running()

    def ready(self):
        return subprocess.run([str(self.bin / "pg_isready"), "-q", "-h", "127.0.0.1", "-p",
                               str(self.port)]).returncode == 0

    def stop(self, how="fast", deadline=60):
        """`fast`: connections are cut, then a checkpoint; `immediate`: as a crash; `smart`: once
        every client has gone."""
        if not self.running():
            return
        self.program.process.send_signal({"smart": signal.SIGTERM, "fast": signal.SIGINT,
                                          "immediate": signal.SIGQUIT}[how])
        try:
            self.program.process.wait(deadline)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self):
        """kill -9 of the postmaster and of every process of it, at once."""
        if not self.running():
            return
        members = [self.program.pid, *children(self.program.pid)]
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.program.process.wait()
        wait_for(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in members[1:]), 10,
                 f"every process of {self.name} is gone")
        self._remove_segment()

    def _remove_segment(self):
        """What a dead machine would not keep: the System V segment that guards the directory."""
        with contextlib.suppress(OSError, IndexError):
            identifier = (self.data / "postmaster.pid").read_text().splitlines()[6].split()[1]
            subprocess.run(["ipcrm", "-m", identifier], capture_output=True)

    def kill_backend(self, chance):
        """kill -9 of one process that serves a client; PostgreSQL then restarts all of them and
        recovers. Returns its pid, or None when there was none."""
        found = []
        for pid in children(self.program.pid):
            with contextlib.suppress(OSError):
                title = Path(f"/proc/{pid}/cmdline").read_bytes()
                if f"{USER} {DATABASE}".encode() in title:
                    found.append(pid)
        if not found:
            return None
        pid = chance.choice(sorted(found))
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return pid

    # -- questions --
    def uri(self, **options):
        return uri(self, **options)

    def psql(self, statement, database=DATABASE, timeout=60, check=True):
        """Rows of one statement as lists of text."""
        done = subprocess.run(
            ["psql", "-X", "-q", "-A", "-t", "-F", "\x1f", "-v", "ON_ERROR_STOP=1", "-h",
             "127.0.0.1", "-p", str(self.port), "-U", USER, "-d", database, "-c", statement],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
            env={**os.environ, "PGCONNECT_TIMEOUT": "10"})
        if done.returncode != 0:
            if not check:
                return None
            raise RuntimeError(f"psql: {done.stderr}")
        return [line.split("\x1f") for line in done.stdout.splitlines()]


class Pair:
    """A primary and a synchronous standby: a commit is acknowledged once both have it on disk, so
    that a fail-over loses nothing that was acknowledged."""

    def __init__(self, directory):
        self.primary = Server(directory, "pg_a").create().start()
        self.standby = Server(directory, "pg_b")
        self.restore_standby()

    def uri(self, **options):
        first, second = sorted((self.primary, self.standby), key=lambda server: server.name)
        return uri(first, second, **options)

    def restore_standby(self):
        """Makes the standby anew and lets commits wait for it again."""
        self.standby.stop("immediate")
        shutil.rmtree(self.standby.data, ignore_errors=True)
        self.standby.follow(self.primary).start()
        self.wait_in_sync()
        self._wait_for_standby(self.standby.name)

    def _wait_for_standby(self, name):
        self.primary.psql(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
        self.primary.psql("SELECT pg_reload_conf()")
        wait_for(lambda: self.primary.psql("SHOW synchronous_standby_names") == [[name]], 10,
                 "the primary has read its settings")

    def in_sync(self):
        """Whether the standby has on disk all that the primary has now. After a restart a primary
        shows commits that its standby may lack: without this a fail-over would take back what
        clients have read, and it would be no fault of the CA."""
        rows = self.primary.psql(
            "SELECT flush_lsn >= pg_current_wal_flush_lsn() FROM pg_stat_replication "
            f"WHERE application_name = '{self.standby.name}' AND state = 'streaming'", check=False)
        return rows == [["t"]]

    def wait_in_sync(self, deadline=60):
        mark = self.primary.psql("SELECT pg_current_wal_flush_lsn()")[0][0]
        wait_for(lambda: self.primary.psql(
            f"SELECT 1 FROM pg_stat_replication WHERE application_name = '{self.standby.name}' "
            f"AND state = 'streaming' AND flush_lsn >= '{mark}'", check=False) == [["1"]],
            deadline, "the standby has caught up", 0.05)

    def fail_over(self):
        """The primary dies for good and the standby takes its place. Until restore_standby() there
        is one copy. Nothing is promoted while the old primary lives."""
        self.wait_in_sync()
        self.primary.kill()
        self.primary, self.standby = self.standby, self.primary
        promoted = self.primary.psql("SELECT pg_promote(true, 60)", database="postgres")
        if promoted != [["t"]]:
            raise RuntimeError(f"{self.primary.name} was not promoted: {promoted}")

    def stop(self):
        for server in (self.standby, self.primary):
            server.stop("immediate")


@contextlib.contextmanager
def directory_for(given=None):
    """`given`, or a directory of its own that the unprivileged user reaches and that goes away."""
    if given:
        yield Path(given)
        return
    path = Path(tempfile.mkdtemp(prefix="agentca-postgres-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def main(arguments):
    parser = argparse.ArgumentParser(prog="postgres.py")
    run = parser.add_subparsers(required=True).add_parser("run")
    run.add_argument("--standby", action="store_true")
    run.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="settings")
    run.add_argument("directory", nargs="?")
    split = arguments.index("--") if "--" in arguments else len(arguments)
    command, wanted = arguments[split + 1:], parser.parse_args(arguments[:split])
    if not command or (wanted.standby and wanted.settings):
        run.error("a command is wanted after --, and --set is for one server")
    settings = dict(setting.split("=", 1) for setting in wanted.settings)
    if not installed():
        print("postgres.py: PostgreSQL is not installed", file=sys.stderr)
        return SKIPPED
    with directory_for(wanted.directory) as directory:
        server = Pair(directory) if wanted.standby else Server(directory, settings=settings)
        if not wanted.standby:
            (server.resume() if server.data.exists() else server.create()).start()
        try:
            os.environ["AGENTCA_TEST_POSTGRES"] = server.uri()
            return subprocess.run(command).returncode
        finally:
            server.stop() if wanted.standby else server.stop("fast" if wanted.directory else "immediate")


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.exit(code if code >= 0 else 128 - code)
