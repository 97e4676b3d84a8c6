"""Each role of a node alone, one after another on one directory (SQLite knows one node at a time)."""

import json
import re

import pytest
from cryptography import x509

from acme_client import Client
from crash import chained_lines
from relying_parties import crl_of, ocsp_status, on_crl
from servers import SETTLE_DEADLINE, AgentCa, Solver, accepts, fetch, wait_for

pytestmark = pytest.mark.needs_agentca

ROLES = ("acme", "ocsp", "admin")


@pytest.fixture
def node(tmp_path, challenges):
    """Starts the node of one directory in the roles given, whatever it did before."""
    server = AgentCa(tmp_path / "ca", challenges)

    def serve(*roles):
        assert server.stop() == 0
        server.roles = roles
        return server.start()

    yield serve
    assert server.stop() == 0


def client_of(server):
    client = Client(server.directory_url, str(server.root_file), solver=Solver(server.challenges))
    client.register()
    return client


def number_of_crl(certificate):
    return crl_of(certificate).extensions.get_extension_for_class(
        x509.CRLNumber).value.crl_number


def ocsp_serial(server):
    return x509.load_pem_x509_certificate(
        (server.directory / "ca/ocsp.pem").read_bytes()).serial_number


def shared_crls(server):
    """Serials in the lists that the nodes share."""
    with server.database() as database:
        lists = database.execute("SELECT content FROM document WHERE name LIKE 'crl/%'").fetchall()
    return {entry.serial_number for (der,) in lists for entry in x509.load_der_x509_crl(der)}


def signer_command(server):
    with open(f"/proc/{server.signer_pid()}/cmdline", "rb") as command:
        return command.read().decode().split("\0")


@pytest.mark.parametrize("roles", [("acme",), ("ocsp",), ("admin",), ("acme", "admin"),
                                   ("acme", "ocsp"), ROLES], ids=",".join)
def test_a_node_opens_the_listeners_of_its_roles_alone(node, roles):
    server = node(*roles)
    ports = {"acme": server.acme_port, "ocsp": server.http_port, "admin": server.admin_port}
    assert {role for role in ROLES if accepts(ports[role])} == set(roles)
    status = server.json("status")
    assert status["healthy"] is True, status["faults"]
    assert status["roles"] == [role for role in ROLES if role in roles]
    urls = {"acme": server.directory_url, "ocsp": server.http_url, "admin": server.admin_url}
    words = {"acme": "directory", "ocsp": "http", "admin": "admin"}
    for role in ROLES:
        assert status["server"][words[role]] == (urls[role] if role in roles else "")
    ready = "".join(f" {words[role]} {urls[role]}" for role in ROLES if role in roles)
    assert re.search(f"^ready:{ready}$", server.log.read_text(), re.M)
    command = signer_command(server)
    assert command[command.index("--role") + 1] == ",".join(r for r in ROLES if r in roles)


@pytest.mark.parametrize("roles", [("acme",), ("ocsp",), ("admin",)], ids=",".join)
def test_every_node_answers_a_load_balancer(node, roles):
    server = node(*roles)
    for path in ("/healthz", "/readyz"):
        status, headers, body = server.health(path)
        assert (status, body) == (200, b"ok\n")
        assert headers["Content-Type"].startswith("text/plain")
        assert headers["Cache-Control"] == "no-store"


def test_health_on_the_acme_port_is_read_only_and_near_names_are_not_it(node):
    server = node("acme")
    ca_file = str(server.root_file)
    status, headers, _ = fetch(f"{server.acme_url}/readyz", b"{}", ca_file=ca_file)
    assert status == 405 and headers["Allow"] == "GET, HEAD"
    for path in ("/healthz/", "/Healthz", "/readyz/x", "/acme/healthz", "/root.pem", "/ocsp"):
        status, headers, _ = fetch(server.acme_url + path, ca_file=ca_file)
        assert status == 404, path
        assert headers["Content-Type"] == "application/problem+json"


def test_one_authority_through_nodes_of_one_role(node):
    """Issued by one, answered for by another, revoked in the registry of a third."""
    server = node("acme")
    client = client_of(server)
    certificate = client.obtain(["roles.test"]).certificate
    client.close()
    server = node("ocsp")
    assert ocsp_status(server, certificate) == "good"
    number = number_of_crl(certificate)
    server.cli("cert", "revoke", f"{certificate.serial_number:x}", "--reason", "superseded")
    wait_for(lambda: ocsp_status(server, certificate) == "revoked", SETTLE_DEADLINE,
             "the responder learns of the revocation")
    assert number_of_crl(certificate) == number, "who has no key of the CA signs no CRL"
    server = node("admin")
    wait_for(lambda: certificate.serial_number in shared_crls(server), SETTLE_DEADLINE,
             "who has the keys publishes what was revoked meanwhile")
    server = node("ocsp")
    assert on_crl(certificate) and number_of_crl(certificate) > number


def test_a_responder_uses_the_ocsp_key_alone(node):
    server = node("acme")
    client = client_of(server)
    certificate = client.obtain(["edge.roles.test"]).certificate
    client.close()
    server = node("ocsp")
    before = len(chained_lines(server.key_usage_log))
    assert ocsp_status(server, certificate) == "good"
    used = chained_lines(server.key_usage_log)[before:]
    assert used and {event["purpose"] for event in used} == {"ocsp"}


def test_a_responder_needs_no_tls_identity_and_makes_none(node):
    server = node("ocsp")
    for name in ("tls/key.pem", "tls/chain.pem"):
        (server.directory / name).unlink()
    server = node("ocsp")
    assert not (server.directory / "tls/key.pem").exists()
    assert server.json("status")["healthy"] is True
    server = node("acme")  # which does
    assert (server.directory / "tls/key.pem").exists()


def test_an_issuer_renews_the_certificate_of_a_responder_whose_key_it_does_not_hold(node):
    server = node("admin")
    serial = ocsp_serial(server)
    server.cli("cert", "revoke", f"{serial:x}", "--reason", "superseded")
    server = node("acme")
    assert ocsp_serial(server) != serial
    server = node("ocsp")
    assert server.readyz() == 200


def test_an_admin_node_serves_the_admin_api(node, tmp_path):
    server = node("admin")
    server.cli("agent", "add", "acme/robot", "--sponsor", "ops@test.example", "--risk", "low")
    assert [agent["name"] for agent in server.json("agent", "list")] == ["robot"]
    server.cli("admin", "add", "second", "--role", "auditor", "--out", tmp_path)
    assert (tmp_path / "second.pem").exists()


def test_clients_of_the_admin_api_are_told_that_there_is_none(node):
    done = node("acme").cli("agent", "list", check=False)
    assert done.returncode != 0 and "no admin API" in done.stderr, done.stderr


@pytest.mark.parametrize("roles, words", [
    ("ca", "is not a role"), ("", "a role is missing"), ("acme,", "a role is missing"),
    ("ocsp,ocsp", "is there twice"), ("*", "is not a role"), ("all", "is not a role")])
def test_roles_that_make_no_sense_are_refused(node, tmp_path, challenges, roles, words):
    server = AgentCa(tmp_path / "other", challenges)
    for done in (server.cli("serve", "--role", roles, check=False),
                 server.run("init", "--dir", tmp_path / "new", "--trust-domain", "x.test",
                            "--role", roles)):
        assert done.returncode == 2 and "--role: " in done.stderr
    assert words in server.cli("serve", "--role", roles, check=False).stderr
    assert not (tmp_path / "new").exists()


def test_roles_may_stand_in_agentca_conf(tmp_path, challenges):
    server = AgentCa(tmp_path / "ca", challenges, init=["--role", "ocsp"])
    assert re.search("^role = ocsp$", (server.directory / "agentca.conf").read_text(), re.M)
    assert json.loads(server.cli("status", "--json", check=False).stdout)["roles"] == ["ocsp"]
