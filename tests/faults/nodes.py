"""Nodes of one CA that can be killed, paused, sent to another time and starved of disk."""

import contextlib
import os
import signal
import subprocess
import threading
import urllib.parse
from pathlib import Path

from processes import START_DEADLINE, Program, free_port, wait_for
from servers import AgentCa, fetch

FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)

LEAKS = {"LSAN_OPTIONS": f"suppressions={Path(__file__).resolve().parent}/leaks.txt:"
                         "print_suppressions=0"}


class Disk:
    """A tmpfs: small, and full when a test says so. Needs the right to mount."""

    def __init__(self, path, megabytes, owner=None):
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "agentca-test",
                        self.path], check=True, capture_output=True)
        self.path.chmod(0o755)
        if owner:
            os.chown(self.path, *owner)
        self._ballast = self.path / "ballast"

    @staticmethod
    def possible(directory):
        """Whether this process may mount one."""
        probe = Path(directory) / "mount-probe"
        try:
            Disk(probe, 1).remove()
        except (subprocess.CalledProcessError, OSError):
            return False
        return True

    def fill(self):
        """No octet is left, for anybody."""
        with self._ballast.open("ab", buffering=0) as ballast, contextlib.suppress(OSError):
            for size in (1 << 20, 4096, 1):
                with contextlib.suppress(OSError):
                    while ballast.write(bytes(size)) == size:
                        pass

    def free(self):
        self._ballast.unlink(missing_ok=True)

    def remove(self):
        # Lazily: what a killed process still holds ends with it.
        subprocess.run(["umount", "-l", self.path], check=True, capture_output=True)


class Clock:
    """The time that one node lives in, as an offset from ours (libfaketime). Intervals stay true."""

    def __init__(self, file):
        self.file = Path(file)
        self.furthest = 0  # ahead of true time, ever
        self.set(0)

    def set(self, seconds):
        self.furthest = max(self.furthest, seconds)
        new = self.file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.rename(self.file)

    def environment(self):
        # A sanitizer wants to be first in the list of libraries; it works behind this one as well.
        asan = ":".join(filter(None, (os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0")))
        return {"LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(self.file),
                "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "DONT_FAKE_MONOTONIC": "1", "ASAN_OPTIONS": asan}


class Node(AgentCa):
    """One process of the CA. `first`: the node whose directory this one is made from; None: it
    makes the CA. Everybody serves the URLs of the first."""

    def __init__(self, number, directory, challenges, storage, serve_storage, first=None,
                 with_clock=False):
        self.number = number
        self.first = first or self
        self.binary = os.environ["AGENTCA_BIN"]
        self.directory = Path(directory)
        self.challenges = challenges
        self.acme_port, self.http_port, self.admin_port = free_port(), free_port(), free_port()
        self.serve_arguments = ["--storage", serve_storage, "--validation-attempts", "4"]
        self.log = self.directory.parent / f"node-{number}.log"
        self.clock = Clock(self.directory.parent / f"clock-{number}") if with_clock else None
        self.program = None
        self.lock = threading.RLock()  # guards what follows
        self.wanted = False       # whether it should be running
        self.accidents = []       # ends that nobody asked for
        self.refused_starts = 0
        self._before = 0          # size of the log at the last start
        if first is None:
            self.run("init", "--dir", self.directory, "--trust-domain", "test.example",
                     "--dns-name", "localhost", *self._addresses(), "--external-url",
                     self.acme_url, "--http-external-url", self.http_url, "--storage", storage,
                     check=True)
        elif "join" not in self.run("--help").stdout:
            import shutil
            shutil.copytree(first.directory, self.directory, ignore=shutil.ignore_patterns(
                "log", "node-id", "serve.lock", "*.sqlite*", "*.crl"))
            (self.directory / "log").mkdir(mode=0o700)
            conf = self.directory / "token/softhsm2.conf"
            conf.write_text(conf.read_text().replace(str(first.directory), str(self.directory)))
        else:
            self.run("join", "--dir", self.directory, "--from", first.directory,
                     *self._addresses(), check=True)

    def _addresses(self):
        return ["--acme-listen", f"127.0.0.1:{self.acme_port}", "--http-listen",
                f"127.0.0.1:{self.http_port}", "--admin-listen", f"127.0.0.1:{self.admin_port}"]

    def serve_command(self):
        return [*super().serve_command(), *self._addresses(), "--external-url",
                self.first.acme_url]

    # -- life --
    def launch(self):
        """Starts without waiting. From now on supervise() keeps it running."""
        env = {**os.environ, **LEAKS, **(self.clock.environment() if self.clock else {})}
        with self.lock:
            self._before = self.log.stat().st_size if self.log.exists() else 0
            self.program = Program(self.serve_command(), self.log, env=env)
            self.wanted = True

    def start(self, wrapper=()):
        assert not wrapper
        self.launch()
        wait_for(self.ready, START_DEADLINE, f"node {self.number} is ready")
        return self

    def running(self):
        return self.program is not None and self.program.running()

    def supervise(self):
        """What systemd would do (Restart=on-failure). A start may be refused, while the store is
        away; a node that serves must not end by itself."""
        with self.lock:
            if not self.wanted or self.running():
                return
            said = self.log.read_bytes()[self._before:]
            if b"ready: directory" in said:
                self.accidents.append(f"node {self.number} ended with "
                                      f"{self.program.process.returncode}: {said[-600:]!r}")
            else:
                self.refused_starts += 1
            self.launch()

    def kill(self):
        """kill -9 of serve. The signer, whose socket closes, ends by itself."""
        with self.lock:
            self.supervise()
            self.wanted = False
            signer = self.signer_pid()
            self.program.kill()
        with contextlib.suppress(OSError):  # what libfaketime leaves behind
            for leftover in Path("/dev/shm").glob(f"*faketime*_{self.program.pid}"):
                leftover.unlink()
        if signer is not None:
            wait_for(lambda: gone(signer), START_DEADLINE, "the orphaned signer ends")

    def kill_signer(self):
        signer = self.signer_pid() if self.running() else None
        if signer is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(signer, signal.SIGKILL)

    def terminate(self):
        """SIGTERM, and waits: a rolling restart's first half."""
        with self.lock:
            self.supervise()
            self.wanted = False
        code = self.stop(60)
        if code != 0 and b"ready: directory" in self.log.read_bytes()[self._before:]:
            self.accidents.append(f"node {self.number} ended with {code} when asked to end")

    def pause(self):
        """As a machine that swaps or a virtual one that is moved: it stops in mid-thought."""
        if self.running():
            self.program.process.send_signal(signal.SIGSTOP)

    def resume(self):
        if self.running():
            self.program.process.send_signal(signal.SIGCONT)

    def readyz(self, timeout=5):
        try:
            return fetch(f"{self.http_url}/readyz", timeout=timeout)[0]
        except OSError:
            return 0

    def ready(self):
        return self.running() and self.readyz() == 200

    # -- what it serves --
    def own(self, url):
        """A URL of the CA, at this node."""
        split = urllib.parse.urlsplit(url)
        own = self.acme_url if split.scheme == "https" else self.http_url
        return url.replace(f"{split.scheme}://{split.netloc}", own, 1)


def gone(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rsplit(")", 1)[1].split()[0] == "Z"
