"""The programs that the tests run: agentca, and Debian's pebble-challtestsrv beside it.

Each is started on free loopback ports, is ready when a condition says so, and is ended by pid.
"""

import contextlib
import hashlib
import json
import os
import sqlite3
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from acme_client import b64
from processes import (  # noqa: F401
    ROOT, SETTLE_DEADLINE, START_DEADLINE, Program, accepts, free_port, wait_for)

HERE = Path(__file__).resolve().parent


def fetch(url, data=None, headers=None, ca_file=None, timeout=10, identity=None):
    """(status, headers, body) of a plain request; no redirect, no exception for a status.
    `identity`: (certificate file, key file) of a TLS client."""
    request = urllib.request.Request(url, data=data, headers=headers or {})
    context = ssl.create_default_context(cafile=ca_file) if url.startswith("https:") else None
    if identity:
        context.load_cert_chain(*identity)
    try:
        with urllib.request.urlopen(request, timeout=timeout, context=context) as reply:
            return reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


class ChallengeServer:
    """pebble-challtestsrv: DNS for every name, and answers for all three challenge types on
    127.0.0.1. A test that runs an http-01 or tls-alpn-01 responder of its own takes another
    loopback address (`own_address`) on the same port."""

    def __init__(self, directory):
        self.http_port, self.tls_port = free_port(), free_port()
        self.dns_port, self.management_port = free_port(), free_port()
        self._addresses = 1
        self.program = Program(
            ["pebble-challtestsrv", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "",
             "-http01", f"127.0.0.1:{self.http_port}", "-https01", "",
             "-tlsalpn01", f"127.0.0.1:{self.tls_port}", "-dns01", f"127.0.0.1:{self.dns_port}",
             "-management", f"127.0.0.1:{self.management_port}"],
            Path(directory) / "challtestsrv.log")
        wait_for(lambda: all(map(accepts, (self.http_port, self.tls_port, self.dns_port,
                                           self.management_port))),
                 START_DEADLINE, "pebble-challtestsrv listens")

    @property
    def resolver(self):
        return f"127.0.0.1:{self.dns_port}"

    @property
    def url(self):
        return f"http://127.0.0.1:{self.management_port}"

    def tell(self, verb, **values):
        status, _, body = fetch(f"{self.url}/{verb}", json.dumps(values).encode())
        assert status == 200, f"challtestsrv {verb}: {status} {body!r}"

    def own_address(self, *names):
        """A loopback address for these names alone."""
        self._addresses += 1
        address = f"127.0.{self._addresses // 250}.{self._addresses % 250 + 1}"
        for name in names:
            self.tell("add-a", host=f"{name}.", addresses=[address])
        return address

    def stop(self):
        self.program.stop()


class Solver:
    """Puts answers up on a ChallengeServer (see acme_client.Client)."""

    def __init__(self, challenges):
        self.challenges = challenges

    def deploy(self, kind, name, token, key_authorization):
        if kind == "http-01":
            self.challenges.tell("add-http01", token=token, content=key_authorization)
        elif kind == "dns-01":
            self.challenges.tell("set-txt", host=f"_acme-challenge.{name}.",
                                 value=dns01_value(key_authorization))
        elif kind == "tls-alpn-01":
            self.challenges.tell("add-tlsalpn01", host=name, content=key_authorization)
        else:
            raise ValueError(kind)


def dns01_value(key_authorization):
    return b64(hashlib.sha256(key_authorization.encode()).digest())


class Urls:
    """Of what listens on `acme_port` and `http_port`, or is to look so."""

    @property
    def acme_url(self):
        return f"https://localhost:{self.acme_port}"

    @property
    def directory_url(self):
        return f"{self.acme_url}/directory"

    @property
    def http_url(self):
        return f"http://127.0.0.1:{self.http_port}"


class AgentCa(Urls):
    """An initialised CA directory and, between start() and stop(), its server."""

    roles = ("acme", "ocsp", "admin")  # of the next start
    environment = None  # of the server; None: that of the test

    def __init__(self, directory, challenges, init=(), serve=(), binary=None):
        self.binary = str(binary or os.environ["AGENTCA_BIN"])
        self.directory = Path(directory)
        self.challenges = challenges
        self.acme_port, self.http_port, self.admin_port = free_port(), free_port(), free_port()
        self.serve_arguments = list(serve)
        self.log = self.directory.parent / f"{self.directory.name}.log"
        self.program = None
        self.initialised = self.initialise(init)

    def initialise(self, init):
        return self.run(
            "init", "--dir", self.directory, "--trust-domain", "test.example", "--dns-name",
            "localhost", "--acme-listen", f"127.0.0.1:{self.acme_port}", "--http-listen",
            f"127.0.0.1:{self.http_port}", "--admin-listen", f"127.0.0.1:{self.admin_port}",
            "--external-url", self.acme_url,
            "--http-external-url", self.http_url, *init, check=True)

    # -- command line --
    def run(self, *arguments, check=False, timeout=120):
        done = subprocess.run([self.binary, *map(str, arguments)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f"agentca {' '.join(map(str, arguments))} exited "
                                 f"{done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def cli(self, *arguments, check=True):
        """A subcommand of one or two words, then options: cli("cert", "list", "--json")."""
        return self.run(*arguments, "--dir", self.directory, check=check)

    def json(self, *arguments):
        return json.loads(self.cli(*arguments, "--json").stdout)

    # -- server --
    @property
    def admin_url(self):
        return f"https://127.0.0.1:{self.admin_port}"

    @property
    def root_file(self):
        return self.directory / "ca/root.pem"

    def serve_command(self):
        return [self.binary, "serve", "--dir", self.directory,
                "--dns-resolver", self.challenges.resolver,
                "--http01-port", self.challenges.http_port,
                "--tls-alpn01-port", self.challenges.tls_port,
                "--validation-allow", "127.0.0.0/8",
                "--new-accounts-per-hour", "0", "--role", ",".join(self.roles),
                *self.serve_arguments]

    def start(self, wrapper=()):
        self.program = Program([*wrapper, *self.serve_command()], self.log, self.environment)
        try:
            wait_for(self.ready, START_DEADLINE, "agentca is ready")
        except Exception as error:
            code = self.program.process.poll()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stop()
            raise AssertionError(f"agentca serve: {error} (exit {code})\n{self.program.tail()}")
        return self

    def health(self, path):
        """(status, headers, body) as a load balancer gets it, on the listener of the first role."""
        role = next(role for role in ("ocsp", "acme", "admin") if role in self.roles)
        url = {"ocsp": self.http_url, "acme": self.acme_url, "admin": self.admin_url}[role]
        admin = self.directory / "admin/admin.pem", self.directory / "admin/admin.key"
        return fetch(url + path, timeout=5, ca_file=str(self.root_file),
                     identity=admin if role == "admin" else None)

    def readyz(self):
        """Status of /readyz; 0 while nobody answers."""
        try:
            return self.health("/readyz")[0]
        except OSError:
            return 0

    def ready(self):
        if not self.program.running():
            raise AssertionError(f"agentca serve ended with {self.program.process.returncode}")
        return self.readyz() == 200

    def signer_pid(self):
        """pid of the signer child, or None."""
        parent = self.program.pid
        for task in Path(f"/proc/{parent}/task").glob("*"):
            with contextlib.suppress(OSError):
                for child in (task / "children").read_text().split():
                    command = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
                    if b"signer" in command:
                        return int(child)
        return None

    def stop(self, deadline=30):
        if self.program is None:
            return 0
        return self.program.stop(deadline)

    # -- what it leaves behind --
    @property
    def key_usage_log(self):
        return self.directory / "log/key-usage.log"

    @property
    def audit_log(self):
        return self.directory / "log/audit.log"

    def database(self):
        """A read-only look into the store."""
        return sqlite3.connect(f"file:{self.directory}/db/agentca.sqlite?mode=ro", uri=True)


class Pebble:
    """Debian's pebble in agentca's place: shows that the tests of stock clients can pass, and fail,
    with a server that is not ours (AGENTCA_TEST_SERVER=pebble)."""

    def __init__(self, directory, challenges):
        self.directory = Path(directory)
        self.directory.mkdir()
        self.challenges = challenges
        self.acme_port, self.management_port = free_port(), free_port()
        self.root_file = self.directory / "root.pem"
        self._make_tls()
        config = {"pebble": {
            "listenAddress": f"127.0.0.1:{self.acme_port}",
            "managementListenAddress": f"127.0.0.1:{self.management_port}",
            "certificate": str(self.root_file), "privateKey": str(self.directory / "tls.key"),
            "httpPort": challenges.http_port, "tlsPort": challenges.tls_port,
            "ocspResponderURL": "", "externalAccountBindingRequired": False}}
        (self.directory / "pebble.json").write_text(json.dumps(config))
        self.log = self.directory / "pebble.log"

    def _make_tls(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=pebble",
                        "-addext", "subjectAltName=DNS:localhost", "-keyout",
                        self.directory / "tls.key", "-out", self.root_file],
                       check=True, capture_output=True)

    @property
    def directory_url(self):
        return f"https://localhost:{self.acme_port}/dir"

    def start(self):
        env = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0",
               "PEBBLE_AUTHZREUSE": "0"}
        self.program = Program(
            ["pebble", "-config", self.directory / "pebble.json", "-strict=false",
             "-dnsserver", self.challenges.resolver], self.log, env)
        wait_for(lambda: accepts(self.acme_port), START_DEADLINE, "pebble listens")
        return self

    def stop(self):
        self.program.stop()
