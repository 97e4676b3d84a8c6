"""Several nodes of one CA on a PostgreSQL of their own, and balancers before them, with the
configurations of contrib/cluster."""

import contextlib
import os
import shutil
import signal
import ssl
import sys
import urllib.parse
from pathlib import Path

import pytest

from acme_client import Client, Connection
from servers import (
    ROOT, START_DEADLINE, AgentCa, Program, Solver, Urls, fetch, free_port, wait_for)

sys.path.append(str(ROOT / "tests/faults"))

import postgres  # noqa: E402

CONTRIB = ROOT / "contrib/cluster"
DRAIN_DELAY = 3  # seconds, as contrib/cluster has it
FROM = "127.1.0.9"  # whence balancers connect to the nodes, and nobody else


class Front(Urls):
    """What clients and relying parties know: the URLs that all nodes put into what they say.
    Whether anybody listens there is up to the tests."""

    def __init__(self, root_file):
        self.acme_port, self.http_port = free_port(), free_port()
        self.root_file = root_file


class Node(AgentCa):
    """One process of a cluster. The first one makes the CA; the others join it."""

    environment = {**os.environ, "LSAN_OPTIONS": "print_suppressions=0:suppressions="
                                                 f"{ROOT}/tests/faults/leaks.txt"}

    def __init__(self, cluster, name, roles=AgentCa.roles):
        self.cluster, self.name, self.roles = cluster, name, roles
        super().__init__(cluster.directory / name, cluster.challenges,
                         serve=["--drain-delay", f"{DRAIN_DELAY}s", *cluster.serve])

    def initialise(self, init):
        own = ["--dir", self.directory, "--acme-listen", f"127.0.0.1:{self.acme_port}",
               "--http-listen", f"127.0.0.1:{self.http_port}", "--admin-listen",
               f"127.0.0.1:{self.admin_port}"]
        if self.cluster.nodes:
            return self.run("join", *own, "--from", self.cluster.nodes[0].directory, "--role",
                            ",".join(self.roles), check=True)
        front = self.cluster.front
        return self.run("init", *own, "--trust-domain", "test.example", "--dns-name", "localhost",
                        "--external-url", front.acme_url, "--http-external-url", front.http_url,
                        "--storage", self.cluster.storage, "--proxy-protocol-from", f"{FROM} acme",
                        *self.cluster.init, check=True)

    def ready_body(self):
        with contextlib.suppress(OSError):
            return self.health("/readyz")[2].decode().strip()

    def kill(self):
        """kill -9. Its signer, whose socket closes, ends by itself, unless it stands still."""
        signer = self.signer_pid()
        self.program.kill()
        if signer is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(signer, signal.SIGCONT)


class RoundRobin:
    """Takes the place of a Client's connection: each request goes to the next node, whatever the
    port of its URL."""

    def __init__(self, nodes):
        context = ssl.create_default_context(cafile=str(nodes[0].root_file))
        self.connections = [Connection(node.acme_url, context, 30) for node in nodes]
        self.turn = 0

    def request(self, *arguments):
        self.turn += 1
        return self.connections[self.turn % len(self.connections)].request(*arguments)

    def close(self):
        for connection in self.connections:
            connection.close()


class Cluster:
    def __init__(self, directory, challenges, storage, names=("node1", "node2", "node3"), init=(),
                 serve=()):
        self.directory, self.challenges, self.storage = Path(directory), challenges, storage
        self.init, self.serve = list(init), list(serve)
        self.front = Front(self.directory / names[0] / "ca/root.pem")
        self.nodes = []
        for name in names:
            self.join(name)

    def join(self, name, roles=AgentCa.roles):
        node = Node(self, name, roles)
        self.nodes.append(node)
        return node

    def start(self):
        for node in self.nodes:
            node.start()
        return self

    def client(self, *nodes, register=True):
        """A client whose requests go to `nodes` in turn; all unless given."""
        client = Client(self.front.directory_url, str(self.front.root_file),
                        solver=Solver(self.challenges))
        client.connection = RoundRobin(nodes or self.nodes)
        if register:
            client.register()
        return client

    def admin(self, number, *command):
        """A command of the first administrator, whose certificate only the first node holds, at the
        admin API of another."""
        first, node = self.nodes[0].directory, self.nodes[number]
        return node.run(*command, "--admin-url", node.admin_url, "--admin-cert",
                        first / "admin/admin.pem", "--admin-key", first / "admin/admin.key",
                        "--ca-file", self.front.root_file, check=True)

    def own(self, node, url):
        """A URL of the CA, at this node."""
        path = urllib.parse.urlsplit(url)
        return url.replace(f"{path.scheme}://{path.netloc}",
                           node.acme_url if path.scheme == "https" else node.http_url, 1)


# ---- Balancers ----------------------------------------------------------------------------------
def exchange(text, pairs):
    for before, after in pairs:
        assert before in text, before
        text = text.replace(before, after)
    return text


def addresses(nodes):
    """Those in contrib/cluster, for those of `nodes`."""
    for number, node in enumerate(nodes, 1):
        yield f"192.0.2.{number}:14000", f"127.0.0.1:{node.acme_port}"
        yield f"192.0.2.{number}:14080", f"127.0.0.1:{node.http_port}"


class HaProxy:
    name = "haproxy"

    def __init__(self, directory, front, nodes):
        if shutil.which("haproxy") is None:
            pytest.skip("haproxy is not installed")
        self.directory, self.front = Path(directory), front
        self.directory.mkdir(parents=True, exist_ok=True)
        self.socket = self.directory / "haproxy.sock"
        conf = self.directory / "haproxy.cfg"
        conf.write_text(exchange((CONTRIB / "haproxy.cfg").read_text(), [
            *addresses(nodes), ("bind :443", f"bind 127.0.0.1:{front.acme_port}"),
            ("bind :80", f"bind 127.0.0.1:{front.http_port}"),
            ("send-proxy-v2", f"send-proxy-v2 source {FROM}"),
            ("ca.example.com", "localhost"), ("/etc/agentca/root.pem", str(front.root_file))]))
        self.command = ["haproxy", "-W", "-db", "-f", conf]
        self.program = None

    def start(self):
        self.program = Program(self.command, self.directory / "haproxy.log")
        wait_for(self.serves, START_DEADLINE, "HAProxy has nodes to send clients to")
        return self

    def __enter__(self):
        try:
            return self.start()
        except Exception:
            self.stop()
            raise

    def __exit__(self, *what):
        self.stop()

    def serves(self):
        assert self.program.running(), self.program.tail()
        with contextlib.suppress(OSError):
            return (fetch(self.front.directory_url, ca_file=str(self.front.root_file))[0] == 200
                    and fetch(f"{self.front.http_url}/readyz")[0] == 200)

    def stop(self):
        self.program.stop()


class Nginx(HaProxy):
    name = "nginx"

    def __init__(self, directory, front, nodes):
        module = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
        if shutil.which("nginx") is None or not module.exists():
            pytest.skip("nginx, or its module stream, is not installed")
        self.directory, self.front = Path(directory), front
        self.directory.mkdir(parents=True, exist_ok=True)
        self.nodes = {}
        for kind in ("acme", "publication"):
            file = f"agentca-{kind}.nodes"
            text = (CONTRIB / file).read_text()
            for before, after in addresses(nodes):
                text = text.replace(before, after)
            self.nodes[kind] = self.directory / file
            self.nodes[kind].write_text(text)
        conf = self.directory / "nginx.conf"
        temporary = "".join(f"{kind}_temp_path {self.directory}/{kind}; " for kind in (
            "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        conf.write_text(
            f"pid {self.directory}/pid; error_log stderr notice;\n"
            + exchange((CONTRIB / "nginx.conf").read_text(), [
                ("include /etc/nginx/modules-enabled/*.conf;", f"load_module {module};"),
                ("/etc/nginx/agentca-", f"{self.directory}/agentca-"),
                ("listen 443", f"listen 127.0.0.1:{front.acme_port}"),
                ("listen 80", f"listen 127.0.0.1:{front.http_port}"),
                ("proxy_protocol on;", f"proxy_protocol on; proxy_bind {FROM};"),
                ("worker_processes auto", "worker_processes 2"),
                ("http {", "http { access_log off; " + temporary)]))
        self.command = ["nginx", "-c", conf, "-g", "daemon off;"]
        self.watchers = []

    def start(self):
        super().start()
        reload = f"kill -HUP {self.program.pid}"
        for kind, scheme, curl in (("acme", "https", f"curl --haproxy-protocol --interface {FROM}"),
                                   ("publication", "http", "curl")):
            self.watchers.append(Program(
                [CONTRIB / "nginx-nodes", scheme, "localhost", self.nodes[kind]],
                self.directory / f"watch-{kind}.log",
                env={**os.environ, "CA_FILE": str(self.front.root_file), "RELOAD": reload,
                     "CURL": curl}))
        return self

    def down(self, kind="acme"):
        """How many nodes it was told not to ask."""
        return self.nodes[kind].read_text().count(" down;")

    def stop(self):
        for watcher in self.watchers:
            watcher.stop()
        super().stop()


BALANCERS = (HaProxy, Nginx)
