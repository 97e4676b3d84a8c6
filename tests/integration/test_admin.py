"""The admin API as administrators use it: agentca's own clients, curl, and openssl as the judge."""

import hashlib
import json
import subprocess
import sys
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from acme_client import Client, b64, make_csr
from relying_parties import ocsp_status
from servers import ROOT, SETTLE_DEADLINE, AgentCa, Solver, wait_for

pytestmark = pytest.mark.needs_agentca

ISSUER = ec.generate_private_key(ec.SECP256R1())
POINT = ISSUER.public_key().public_numbers()
JWKS = {"keys": [{"kty": "EC", "crv": "P-256", "kid": "a", "alg": "ES256",
                  "x": b64(POINT.x.to_bytes(32, "big")), "y": b64(POINT.y.to_bytes(32, "big"))}]}


@pytest.fixture(scope="module")
def ca(tmp_path_factory, challenges):
    from conftest import stop_soundly
    server = AgentCa(tmp_path_factory.mktemp("admin") / "ca", challenges).start()
    keys = server.directory.parent / "jwks.json"
    keys.write_text(json.dumps(JWKS))
    server.cli("evidence", "add", "k8s", "--format", "jwt", "--issuer", "https://k8s.test",
               "--jwks", keys)
    yield server
    stop_soundly(server)


@pytest.fixture(scope="module")
def bob(ca):
    """An auditor: the options by which commands are his."""
    out = ca.directory.parent
    ca.cli("admin", "add", "bob", "--role", "auditor", "--out", out)
    return ["--admin-url", ca.admin_url, "--admin-cert", out / "bob.pem", "--admin-key",
            out / "bob.key", "--ca-file", ca.root_file]


def audit(ca):
    return [json.loads(line) for line in
            (ca.directory / "log/audit.log").read_text().splitlines()]


def add(ca, agent, *more):
    return ca.cli("agent", "add", agent, "--sponsor", "team", "--evidence",
                  "k8s kubernetes.io/namespace=prod sub=web*", *more)


def curl(ca, path, *options, identity=True):
    certificate = ["--cert", ca.directory / "admin/admin.pem", "--key",
                   ca.directory / "admin/admin.key"] if identity else []
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "20", "--cacert",
         ca.root_file, *certificate, "--write-out", "\n%{http_code}", *options,
         f"{ca.admin_url}/admin/v1{path}"], capture_output=True, text=True)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body, done.stderr


# ---- the first administrator --------------------------------------------------------------------
def test_init_made_an_administrator_that_openssl_verifies(ca):
    leaf = x509.load_pem_x509_certificate((ca.directory / "admin/admin.pem").read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == ["spiffe://test.example/admin/admin/init"]
    assert (ca.directory / "admin/admin.key").stat().st_mode & 0o077 == 0
    done = subprocess.run(
        ["openssl", "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", ca.root_file,
         "-untrusted", ca.directory / "ca/issuing.pem", ca.directory / "admin/admin.pem"],
        capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert ca.json("status")["server"]["admin"] == ca.admin_url


def test_curl_needs_a_client_certificate(ca, tmp_path):
    status, body, _ = curl(ca, "/status")
    assert status == 200 and json.loads(body)["caller"]["name"] == "init"
    status, _, error = curl(ca, "/status", identity=False)
    assert status == 0 and "certificate" in error, error
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=init",
                    "-addext", "subjectAltName=URI:spiffe://test.example/admin/admin/init",
                    "-addext", "extendedKeyUsage=clientAuth", "-keyout", tmp_path / "key.pem",
                    "-out", tmp_path / "cert.pem"], check=True, capture_output=True)
    status, _, _ = curl(ca, "/status", "--cert", tmp_path / "cert.pem", "--key",
                        tmp_path / "key.pem", identity=False)
    assert status == 0


# ---- agents -------------------------------------------------------------------------------------
def test_an_agents_life_by_the_command_line(ca):
    assert "version 1" in add(ca, "acme/life", "--scope", "read", "--component",
                              "model=sha256:" + "ab" * 32).stdout
    again = ca.cli("agent", "add", "acme/life", "--sponsor", "x", check=False)
    assert again.returncode == 1 and again.stderr.strip()
    assert ca.cli("agent", "change", "acme/life", "--risk", "high", "--purpose", "writes").stdout
    shown = ca.json("agent", "show", "acme/life")
    assert shown["agent"]["class"] == {"access": "low", "decision": "low", "risk": "high",
                                       "lifespan": "ephemeral"}
    assert shown["agent"]["evidence"] == [
        {"source": "k8s", "claims": {"kubernetes.io/namespace": "prod", "sub": "web*"}}]
    assert [event["what"] for event in shown["history"]] == ["added", "changed"]
    words = ca.cli("agent", "show", "acme/life").stdout
    assert "risk high" in words and "Live certificates: none" in words and "admin init" in words
    ca.cli("agent", "suspend", "acme/life", "--reason", "odd", "--keep-certificates")
    ca.cli("agent", "resume", "acme/life")
    ca.cli("agent", "retire", "acme/life", "--reason", "done")
    assert ca.cli("agent", "resume", "acme/life", check=False).returncode == 1
    listed = ca.json("agent", "list", "--tenant", "acme", "--status", "retired")
    assert "life" in [agent["name"] for agent in listed]


def test_what_is_exported_can_be_imported(ca, tmp_path):
    add(ca, "acme/file")
    agent = ca.json("agent", "show", "acme/file")["agent"]
    agent["name"], agent["purpose"] = "copy", "copied"
    (tmp_path / "agent.json").write_text(json.dumps(agent))
    ca.cli("agent", "add", "acme/copy", "--file", tmp_path / "agent.json")
    assert ca.json("agent", "show", "acme/copy")["agent"]["purpose"] == "copied"


@pytest.mark.parametrize("arguments, word", [
    (["agent", "add", "acme", "--sponsor", "x"], "TENANT/NAME"),
    (["agent", "add", "acme/a"], "--sponsor"),
    (["agent", "add", "acme/a", "--sponsor", "x", "--risk", "huge"], "--risk"),
    (["agent", "add", "acme/a", "--sponsor", "x", "--evidence", "k8s nonsense"], "--evidence"),
    (["agent", "add", "acme/a", "--sponsor", "x", "--evidence", "none a=b"], "none"),
    (["agent", "list", "--status", "dead"], "status"),
    (["agent", "suspend", "acme/*", "--keep-certificates"], "--keep-certificates"),
    (["evidence", "add", "x", "--format", "morse"], "format"),
    (["evidence", "add", "x", "--format", "jwt", "--issuer", "i", "--jwks", "http://x"], "http://x"),
    (["rule", "add", "x", "--source", "k8s"], "claims"),
    (["rule", "add", "x", "--source", "k8s", "--claim", "a=b", "--tenant-template", "acme",
      "--agent-template", "{b}"], "sponsor"),
    (["admin", "add", "Eve", "--role", "admin"], "name")])
def test_wrong_usage_exits_2_and_names_what_is_wrong(ca, tmp_path, arguments, word):
    done = subprocess.run([ca.binary, *arguments, "--dir", ca.directory], cwd=tmp_path,
                          capture_output=True, text=True)
    assert done.returncode in (1, 2) and word in done.stderr, done.stderr
    assert list(tmp_path.iterdir()) == []


def token(challenge, key_authorization):
    """What a cluster would say of the agent, for this challenge (ES256, RFC 7518 §3.4)."""
    now = int(time.time())
    nonce = b64(hashlib.sha256(key_authorization.encode()).digest())
    claims = {"iss": "https://k8s.test", "sub": "web-1", "aud": f"{challenge['audience']}#{nonce}",
              "iat": now, "exp": now + 300, "jti": nonce, "kubernetes.io": {"namespace": "prod"}}
    head = b64(json.dumps({"alg": "ES256", "kid": "a", "typ": "JWT"}).encode())
    signed = f"{head}.{b64(json.dumps(claims).encode())}"
    r, s = decode_dss_signature(ISSUER.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{signed}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def certificate_for(ca, challenges, name):
    """The certificate of a registered agent: by evidence, where the server asks for it."""
    client = Client(ca.directory_url, str(ca.root_file), solver=Solver(challenges))
    client.register()
    created = client.new_order([name])
    url = created.json["authorizations"][0]
    offered = {c["type"]: c for c in client.fetch(url).json["challenges"]}
    attest = offered.get("agent-attest-01")
    if attest is None:
        client.authorize(created.json)
    else:
        evidence = token(attest, client.key_authorization(attest["token"]))
        client.must(attest["url"], {"fmt": "jwt", "evidence": b64(evidence.encode())})
        settled = client.wait(url, lambda a: a["status"] != "pending")
        assert settled["status"] == "valid", settled
    key = ec.generate_private_key(ec.SECP256R1())
    assert client.finalize(created.json, make_csr([name], key)).status == 200
    order = client.wait(created.location, lambda o: o["status"] != "processing")
    return x509.load_pem_x509_certificate(client.fetch(order["certificate"]).body)


@pytest.mark.alone
def test_suspending_revokes_and_ocsp_says_so_within_a_second(ca, challenges):
    add(ca, "acme/live")
    certificate = certificate_for(ca, challenges, "live.acme.agents.test.example")
    assert ocsp_status(ca, certificate) == "good"
    done = ca.cli("agent", "suspend", "acme/live", "--reason", "odd")
    assert f"{certificate.serial_number:x}" in done.stdout
    acknowledged = time.monotonic()
    wait_for(lambda: ocsp_status(ca, certificate) == "revoked", SETTLE_DEADLINE, "OCSP says revoked")
    assert time.monotonic() - acknowledged < 1.5, "within a second, and the look itself"
    assert "Live certificates: none" in ca.cli("agent", "show", "acme/live").stdout


def test_a_tenant_is_suspended_in_one_command(ca):
    for name in ("a", "b", "c"):
        add(ca, f"gone/{name}")
    done = ca.cli("agent", "suspend", "gone/*", "--reason", "breach")
    assert "3 agents." in done.stdout
    assert {agent["status"] for agent in ca.json("agent", "list", "--tenant", "gone")} == \
        {"suspended"}


# ---- trust --------------------------------------------------------------------------------------
def test_rules_and_sources_by_the_command_line(ca):
    ca.cli("rule", "add", "fleet", "--source", "k8s", "--claim", "kubernetes.io/namespace=fleet",
           "--tenant-template", "acme", "--agent-template", "w-{sub}", "--sponsor", "team",
           "--access", "medium")
    assert ca.json("rule", "list")[0]["claims"] == {"kubernetes.io/namespace": "fleet"}
    assert "w-{sub}" in ca.cli("rule", "list").stdout
    used = ca.cli("evidence", "remove", "k8s", check=False)
    assert used.returncode == 1 and "k8s" in used.stderr
    ca.cli("rule", "remove", "fleet")
    assert ca.json("rule", "list") == []
    assert ca.json("evidence", "list")[0]["jwks"] == JWKS
    assert ca.json("approval", "list") == []


# ---- administrators -----------------------------------------------------------------------------
def test_an_auditor_reads_from_elsewhere_and_changes_nothing(ca, bob):
    assert ca.run("agent", "list", *bob).returncode == 0
    for command in (["agent", "add", "acme/x", "--sponsor", "s"], ["agent", "suspend", "acme/x"],
                    ["rule", "remove", "x"], ["evidence", "remove", "k8s"],
                    ["approval", "grant", "x"]):
        done = ca.run(*command, *bob)
        assert done.returncode == 1 and "needs the role" in done.stderr, done.stderr
    assert "auditor bob" not in {event.get("by") for event in audit(ca)}


def test_a_revoked_administrator_is_out_at_once(ca, tmp_path):
    ca.cli("admin", "add", "eve", "--role", "admin", "--out", tmp_path)
    eve = ["--admin-url", ca.admin_url, "--admin-cert", tmp_path / "eve.pem", "--admin-key",
           tmp_path / "eve.key", "--ca-file", ca.root_file]
    assert ca.run("agent", "list", *eve).returncode == 0
    leaf = x509.load_pem_x509_certificate((tmp_path / "eve.pem").read_bytes())
    ca.cli("cert", "revoke", f"{leaf.serial_number:x}")
    done = ca.run("agent", "list", *eve)
    assert done.returncode == 1 and "revoked" in done.stderr, done.stderr
    again = ca.cli("admin", "add", "eve", "--role", "admin", "--out", tmp_path, check=False)
    assert again.returncode == 1 and "already" in again.stderr


def test_a_server_of_another_ca_is_not_believed(ca, bob, tmp_path, challenges):
    other = AgentCa(tmp_path / "other", challenges)
    done = ca.run("agent", "list", *bob[:-1], other.root_file)
    assert done.returncode == 1 and "not of the CA" in done.stderr, done.stderr


def test_the_audit_log_holds_every_change(ca, bob):
    add(ca, "acme/audited")
    ca.cli("agent", "change", "acme/audited", "--purpose", "leaves a trace")
    ca.cli("agent", "suspend", "acme/audited")
    by = {event["event"] for event in audit(ca) if event.get("by") == "admin init"}
    assert {"agent-add", "agent-change", "agent-suspend", "source-put", "admin-add"} <= by
    assert ca.cli("audit", "verify").returncode == 0


# ---- without ------------------------------------------------------------------------------------
def test_the_admin_api_can_be_switched_off(tmp_path, challenges):
    server = AgentCa(tmp_path / "ca", challenges, serve=["--admin-listen", "none"]).start()
    try:
        done = server.cli("agent", "list", check=False)
        assert done.returncode == 1 and "admin-listen is none" in done.stderr, done.stderr
    finally:
        server.stop()
    done = server.cli("agent", "list", check=False)
    assert done.returncode == 1 and "serve" in done.stderr


def test_serve_renews_the_administrator_but_makes_none_anew(tmp_path, challenges):
    server = AgentCa(tmp_path / "ca", challenges)
    certificate = server.directory / "admin/admin.pem"
    before = certificate.read_bytes()
    serial = x509.load_pem_x509_certificate(before).serial_number
    server.cli("cert", "revoke", f"{serial:x}")
    server.start()
    assert certificate.read_bytes() != before
    assert server.cli("agent", "list").returncode == 0
    server.stop()
    certificate.unlink()
    server.start()
    assert not certificate.exists()
    server.stop()


# ---- the document -------------------------------------------------------------------------------
def test_the_openapi_document_passes_a_validator(tmp_path):
    """PyPI's openapi-spec-validator, in an environment of its own."""
    python = tmp_path / "venv/bin/python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True,
                   capture_output=True)
    got = subprocess.run([python, "-m", "pip", "install", "-q", "openapi-spec-validator"],
                         capture_output=True, text=True)
    if got.returncode != 0:
        pytest.skip(f"openapi-spec-validator cannot be had: {got.stderr.strip()[-200:]}")
    done = subprocess.run([python, "-m", "openapi_spec_validator",
                           ROOT / "contrib/openapi/agentca-admin.yaml"],
                          capture_output=True, text=True)
    assert done.returncode == 0 and "OK" in done.stdout, done.stdout + done.stderr
