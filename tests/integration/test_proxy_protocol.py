"""Behind a balancer that passes TLS through: HAProxy (PROXY protocol version 2), nginx's stream module
(version 1) and curl (version 1) tell a node who its clients are, and nobody else can."""

import contextlib
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from acme_client import AcmeError, Client
from conftest import stop_soundly
from crash import chained_lines
from servers import (
    SETTLE_DEADLINE, START_DEADLINE, AgentCa, Program, accepts, fetch, free_port, wait_for)

pytestmark = pytest.mark.needs_agentca

BALANCER, ALICE, BOB = "127.1.0.9", "127.0.0.2", "127.0.0.3"
LINE = f"PROXY TCP4 {BOB} 127.0.0.1 56324 443\r\n".encode()
LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"


class Node(AgentCa):
    def serve_command(self):
        command = super().serve_command()
        command[command.index("--new-accounts-per-hour") + 1] = "1"
        return command


class HaProxy:
    """Passes its front on to a listener of the node, with health checks of each."""

    configuration = """\
global
  stats socket {directory}/stats
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen acme
  bind 127.0.0.1:{front}
  option httpchk GET /readyz
  server node 127.0.0.1:{node.acme_port} source {balancer} send-proxy-v2 \
check check-ssl verify none check-send-proxy inter 200 fall 1 rise 1
listen publication
  bind 127.0.0.1:{publication}
  option httpchk GET /readyz
  server node 127.0.0.1:{node.http_port} source {balancer} send-proxy-v2 \
check check-send-proxy inter 200 fall 1 rise 1
listen admin
  bind 127.0.0.1:{admin}
  server node 127.0.0.1:{node.admin_port} source {balancer} send-proxy-v2
"""
    program, module = "haproxy", None

    def __init__(self, directory, node):
        if shutil.which(self.program) is None or self.module and not Path(self.module).exists():
            pytest.skip(f"{self.program} is not installed")
        directory.mkdir()
        self.directory = directory
        self.front, self.publication, self.admin = free_port(), free_port(), free_port()
        file = directory / "configuration"
        file.write_text(self.configuration.format(
            directory=directory, node=node, balancer=BALANCER, front=self.front,
            publication=self.publication, admin=self.admin, module=self.module))
        self.process = Program(self.command(file), directory / "log")
        wait_for(lambda: accepts(self.front), START_DEADLINE, f"{self.program} listens")

    def command(self, file):
        return ["haproxy", "-W", "-db", "-f", file]

    def checks(self):
        """What HAProxy thinks of the listeners: {proxy: (status, check_status)}."""
        with socket.socket(socket.AF_UNIX) as stats:
            stats.settimeout(5)
            stats.connect(f"{self.directory}/stats")
            stats.sendall(b"show stat\n")
            lines = [line.split(",") for line in stats.makefile().read().splitlines() if line]
        at = {name: number for number, name in enumerate(lines[0])}
        return {line[0]: (line[at["status"]], line[at["check_status"]])
                for line in lines[1:] if line[1] == "node"}


class Nginx(HaProxy):
    configuration = """\
load_module {module};
pid {directory}/pid;
error_log stderr notice;
events {{ worker_connections 100; }}
stream {{
  proxy_protocol on;
  proxy_bind {balancer};
  server {{ listen 127.0.0.1:{front}; proxy_pass 127.0.0.1:{node.acme_port}; }}
  server {{ listen 127.0.0.1:{publication}; proxy_pass 127.0.0.1:{node.http_port}; }}
  server {{ listen 127.0.0.1:{admin}; proxy_pass 127.0.0.1:{node.admin_port}; }}
}}
"""
    program, module = "nginx", "/usr/lib/nginx/modules/ngx_stream_module.so"

    def command(self, file):
        return ["nginx", "-c", file, "-g", "daemon off;"]


@contextlib.contextmanager
def served(directory, challenges, networks):
    node = Node(directory / "ca", challenges, serve=["--proxy-protocol-from", networks]).start()
    try:
        yield node
    finally:
        stop_soundly(node)


@pytest.fixture
def node(tmp_path, challenges):
    with served(tmp_path, challenges, f"{BALANCER}/32") as node:
        yield node


@pytest.fixture(params=[HaProxy, Nginx], ids=lambda kind: kind.program)
def balancer(request, node, tmp_path):
    balancer = request.param(tmp_path / "balancer", node)
    yield balancer
    balancer.process.stop()


def client_from(address, node, port):
    """Its connections come from `address`, and go to `port` whatever the directory says."""
    client = Client(node.directory_url, str(node.root_file))
    connection = client.connection._http
    connection.source_address, connection.port = (address, 0), port
    return client


def registers(address, node, port):
    client = client_from(address, node, port)
    try:
        client.register()
        return True
    except AcmeError as error:
        assert error.response.problem == "rateLimited"
        return False
    finally:
        client.close()


def addresses(node, event="account-created", key="address"):
    return [line[key] for line in chained_lines(node.audit_log) if line["event"] == event]


def exchange(node, port, octets, source=None, tls=False):
    """What comes back until the node closes; OSError for a handshake that fails."""
    source = (source, 0) if source else None
    with socket.create_connection(("127.0.0.1", port), 20, source) as raw:
        raw.sendall(octets)
        if tls:
            context = ssl.create_default_context(cafile=str(node.root_file))
            with context.wrap_socket(raw, server_hostname="localhost") as secure:
                secure.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return b"".join(iter(lambda: secure.recv(65536), b""))
        return b"".join(iter(lambda: raw.recv(65536), b""))


def test_a_limit_by_address_tells_clients_behind_a_balancer_apart(node, balancer):
    for client in (ALICE, BOB):
        assert registers(client, node, balancer.front)
        assert not registers(client, node, balancer.front), "one an hour"
    assert registers("127.0.0.1", node, node.acme_port), "without a balancer"
    assert addresses(node) == [ALICE, BOB, "127.0.0.1"]


def test_every_listener_is_reached_through_a_balancer(node, balancer):
    assert fetch(f"http://127.0.0.1:{balancer.publication}/readyz")[0] == 200
    assert fetch(f"https://localhost:{balancer.front}/directory",
                 ca_file=str(node.root_file))[0] == 200
    administrator = node.directory / "admin/admin.pem", node.directory / "admin/admin.key"
    assert fetch(f"https://127.0.0.1:{balancer.admin}/readyz", ca_file=str(node.root_file),
                 identity=administrator)[0] == 200


def test_health_checks_of_haproxy_are_of_haproxy(node, tmp_path):
    balancer = HaProxy(tmp_path / "balancer", node)
    try:
        wait_for(lambda: all(balancer.checks()[name] == ("UP", "L7OK")
                             for name in ("acme", "publication")), SETTLE_DEADLINE, "it is up")
    finally:
        balancer.process.stop()
    assert "no PROXY header of use" not in node.log.read_text()


def test_the_admin_api_knows_from_where_a_change_came(node, balancer):
    for name, url in (("near", node.admin_url), ("far", f"https://127.0.0.1:{balancer.admin}")):
        node.cli("admin", "add", name, "--role", "auditor", "--out", node.directory, "--admin-url", url)
    assert addresses(node, "admin-add", "from") == ["127.0.0.1"] * 2


def test_who_is_no_balancer_cannot_say_who_it_is(node):
    for header in (LINE, LOCAL):
        with pytest.raises(OSError):  # ssl.SSLError is one
            exchange(node, node.acme_port, header, tls=True)
        with pytest.raises(OSError):
            exchange(node, node.acme_port, header, source=ALICE, tls=True)
        answer = exchange(node, node.http_port, header + b"GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")
    assert b" 200 " in exchange(node, node.acme_port, b"", tls=True)


def test_a_balancer_says_for_whom_it_comes_or_is_closed(node):
    for octets in (b"", b"PROXY TCP4 127.0.0.03 127.0.0.1 1 2\r\n", LINE + LINE):
        with pytest.raises(OSError):
            exchange(node, node.acme_port, octets, source=BALANCER, tls=True)
    assert exchange(node, node.http_port, b"GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n",
                    source=BALANCER) == b""
    for header in (LINE, LOCAL):
        assert b" 200 " in exchange(node, node.acme_port, header, source=BALANCER, tls=True)
    lines = [line for line in node.log.read_text().splitlines() if "no PROXY header of use" in line]
    assert len(lines) == 2, "one of each listener, and no more in ten seconds"
    assert all(f'balancer="{BALANCER}"' in line for line in lines)


def test_roles_limit_it_to_their_listeners(tmp_path, challenges):
    with served(tmp_path, challenges, f"{BALANCER} acme") as node:
        assert b" 200 " in exchange(node, node.acme_port, LINE, source=BALANCER, tls=True)
        answer = exchange(node, node.http_port, b"GET /readyz HTTP/1.1\r\nHost: h\r\n"
                          b"Connection: close\r\n\r\n", source=BALANCER)
        assert answer.startswith(b"HTTP/1.1 200 ")


def test_curl_speaks_it_as_well(node):
    command = ["curl", "--silent", "--show-error", "--fail", "--noproxy", "*", "--max-time", "20",
               "--cacert", node.root_file, "--interface", BALANCER, f"{node.acme_url}/readyz"]
    without = subprocess.run(command, capture_output=True, text=True)
    assert without.returncode != 0
    assert subprocess.run([*command, "--haproxy-protocol"], capture_output=True, text=True,
                          check=True).stdout == "ok\n"


@pytest.mark.parametrize("network", ["192.0.2.1/24", "lb.example.com", "192.0.2.1 balancer"])
def test_what_is_no_network_is_refused(tmp_path, challenges, network):
    node = AgentCa(tmp_path / "ca", challenges)
    done = node.cli("serve", "--proxy-protocol-from", network, check=False)
    assert done.returncode != 0 and "proxy-protocol-from" in done.stderr
