"""contrib/identity/nginx: an agent is let in, and what its certificate says goes upstream; whoever is
revoked, no agent, of elsewhere or too weakly proven is not. nginx, curl and python-cryptography."""

import base64
import json
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from gateway_pki import Pki
from servers import ROOT, Program, accepts, free_port, wait_for

CONTRIB = ROOT / "contrib/identity/nginx"
TESTDATA = ROOT / "tests/testdata/identity"
EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.32473.1.1")
SCOPES = [f"{number:03}{'/' * 247}" for number in range(120)]  # almost as long as may be: 32 KiB
SPIFFE_ID = "spiffe://example.test/t/acme/a/planner"


def identity_of(file):
    """The AgentIdentity that openssl wrote, for a certificate of ours."""
    certificate = x509.load_pem_x509_certificate((TESTDATA / file).read_bytes())
    return certificate.extensions.get_extension_for_oid(EXTENSION).value


def with_scopes(extension, scopes):
    """An AgentIdentity that lacks scopes, with these."""
    def tlv(tag, content):
        octets = len(content).to_bytes(2 if len(content) > 255 else 1, "big")
        long_form = bytes([0x80 + len(octets)]) if len(content) > 127 else b""
        return bytes([tag]) + long_form + octets + content

    before, attestation = extension.value[2:].split(bytes.fromhex("a73e"))
    listed = b"".join(tlv(12, scope.encode()) for scope in scopes)
    return x509.UnrecognizedExtension(EXTENSION, tlv(0x30, before + tlv(0xa3, listed)
                                                     + bytes.fromhex("a73e") + attestation))


def uri(text):
    return x509.UniformResourceIdentifier(text)


class Upstream(BaseHTTPRequestHandler):
    """Answers with the headers that it got."""

    def do_GET(self):  # noqa: N802
        body = json.dumps({key.lower(): value for key, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    directory = tmp_path_factory.mktemp("pki")
    pki = Pki(directory)
    strong, weak = identity_of("agent.pem"), identity_of("minimal.pem")
    dns = x509.DNSName("planner.acme.agents.example.test")
    pki.issue("gateway", x509.DNSName("gateway.test"))
    pki.issue("agent", dns, uri(SPIFFE_ID), extra=[strong])
    revoked = pki.issue("revoked", dns, uri(SPIFFE_ID), extra=[strong])
    pki.issue("server", x509.DNSName("www.example.test"))
    pki.issue("without_extension", dns, uri(SPIFFE_ID))
    pki.issue("without_uri", dns, extra=[strong])
    pki.issue("elsewhere", dns, uri("spiffe://other.test/t/acme/a/planner"), extra=[strong])
    pki.issue("another", dns, uri("spiffe://example.test/t/acme/a/another"), extra=[strong])
    pki.issue("two", dns, uri(SPIFFE_ID), uri(SPIFFE_ID + "2"), extra=[strong])
    pki.issue("weak", dns, uri(SPIFFE_ID), extra=[weak])
    strong_minimal = x509.UnrecognizedExtension(
        EXTENSION, weak.value.replace(b"\x02\x01\x02\x18", b"\x02\x01\x03\x18"))
    pki.issue("talkative", dns, uri(SPIFFE_ID), extra=[with_scopes(strong_minimal, SCOPES)])
    pki.write_crls([revoked])
    stranger = tmp_path_factory.mktemp("stranger")
    Pki(stranger).issue("stranger", dns, uri(SPIFFE_ID), extra=[strong])
    for file in stranger.glob("stranger*"):
        shutil.copy(file, directory)
    return pki


@pytest.fixture(scope="module")
def gateway(tmp_path_factory, pki):
    """The port of nginx with the configuration of contrib, its paths and addresses exchanged."""
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed")
    work, port = tmp_path_factory.mktemp("gateway"), free_port()
    upstream = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    text = (CONTRIB / "gateway.conf").read_text()
    for before, after in (("/run/agent-gate/gate.sock", f"{work}/gate.sock"),
                          ("127.0.0.1:8080", f"127.0.0.1:{upstream.server_port}"),
                          ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
                          ("/etc/agentca/", f"{pki.directory}/")):
        assert before in text
        text = text.replace(before, after)
    (work / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {work}/pid; error_log stderr notice;\n"
        "events {}\nhttp { access_log off; "
        + "".join(f"{kind}_temp_path {work}/{kind}; " for kind in (
            "client_body", "proxy", "fastcgi", "uwsgi", "scgi")) + "\n" + text + "}\n")
    gate = Program([sys.executable, CONTRIB / "agent_gate.py", "--socket", work / "gate.sock",
                    "--trust-domain", "example.test", "--least-level", "3"], work / "gate.log")
    wait_for(lambda: (work / "gate.sock").exists() or not gate.running(), 30, "the gate listens")
    nginx = Program(["nginx", "-p", work, "-c", work / "nginx.conf"], work / "nginx.log")
    wait_for(lambda: accepts(port) or not nginx.running(), 30, "nginx listens")
    assert nginx.running() and gate.running(), nginx.tail() + gate.tail()
    yield port, gate
    nginx.stop()
    gate.stop()
    upstream.shutdown()
    upstream.server_close()


def visit(pki, port, who, *arguments):
    """(status, body) of a visit with this certificate; None: with none."""
    identity = ["--cert", pki.directory / f"{who}-chain.pem", "--key",
                pki.directory / f"{who}.key"] if who else []
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--noproxy", "*", "--cacert",
         str(pki.directory / "anchors.pem"), "--resolve", f"gateway.test:{port}:127.0.0.1",
         *map(str, identity), *arguments, "--write-out", "\n%{http_code}",
         f"https://gateway.test:{port}/x"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    body, status = done.stdout.rsplit("\n", 1)
    return int(status), body


def test_an_agent_is_let_in_and_described_upstream(pki, gateway):
    status, body = visit(pki, gateway[0], "agent")
    assert status == 200, body
    headers = json.loads(body)
    assert headers["x-agent-spiffe-id"] == SPIFFE_ID
    assert headers["x-agent-level"] == "4"
    assert (json.loads(base64.b64decode(headers["x-agent-identity"]))
            == json.loads((TESTDATA / "agent.json").read_text()))


def test_what_a_client_says_of_itself_is_overwritten(pki, gateway):
    said = [part for key in ("Spiffe-Id", "Level", "Identity") for part in ("-H", f"X-Agent-{key}: boss")]
    status, body = visit(pki, gateway[0], "agent", *said, "-H", "X-Client-Certificate: boss")
    assert status == 200 and "boss" not in body.replace("/a/boss", ""), body


def test_a_long_identity_goes_through_whole(pki, gateway):
    status, body = visit(pki, gateway[0], "talkative")
    assert status == 200, body[:300]
    assert json.loads(base64.b64decode(json.loads(body)["x-agent-identity"]))["scopes"] == SCOPES


@pytest.mark.parametrize("who", ["revoked", "stranger", None])
def test_nginx_refuses(pki, gateway, who):
    status, body = visit(pki, gateway[0], who)
    assert status == 400 and "x-agent" not in body, body


@pytest.mark.parametrize("who, why", [
    ("server", "not the certificate of an agent"), ("without_uri", "not the certificate of an agent"),
    ("without_extension", "not the certificate of an agent"),
    ("elsewhere", "is not of example.test"), ("another", "not the agent of the extension"),
    ("two", "a SPIFFE ID and another URI"), ("weak", "evidence of level 2")])
def test_the_gate_refuses_and_says_why(pki, gateway, who, why):
    port, gate = gateway
    before = gate.tail().count(why)
    assert visit(pki, port, who)[0] == 403
    assert gate.tail().count(why) == before + 1, gate.tail()


@pytest.fixture
def published(pki):
    """URLs where the CRLs of the PKI lie, and where one of somebody else does."""
    other = Pki.crl(pki, "Issuing", pki.root_key, [])
    der = {f"/{number}": crl.public_bytes(serialization.Encoding.DER)
           for number, crl in enumerate([*pki.crls, other])}

    class Handler(Upstream):
        def do_GET(self):  # noqa: N802
            self.send_response(200)
            self.end_headers()
            self.wfile.write(der[self.path])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield [f"http://127.0.0.1:{server.server_port}{path}" for path in der]
    server.shutdown()
    server.server_close()


def refresh(pki, target, *urls):
    return subprocess.run([CONTRIB / "refresh-crls", pki.directory / "anchors.pem", target, *urls],
                          capture_output=True, text=True, timeout=60,
                          env={"PATH": "/usr/bin:/bin", "NGINX_RELOAD": "echo reloaded"})


def test_crls_are_refreshed_once_and_nginx_reloads(pki, published, tmp_path):
    target = tmp_path / "crls.pem"
    first, second = (refresh(pki, target, *published[:2]) for _ in range(2))
    assert (first.returncode, first.stdout) == (0, "reloaded\n"), first.stderr
    assert (second.returncode, second.stdout) == (0, ""), second.stderr
    assert target.read_bytes() == (pki.directory / "crls.pem").read_bytes()
    assert list(tmp_path.iterdir()) == [target]


def test_a_crl_of_somebody_else_is_not_taken(pki, published, tmp_path):
    target = tmp_path / "crls.pem"
    target.write_text("as it was")
    done = refresh(pki, target, published[0], published[2])
    assert done.returncode == 1 and "not signed by" in done.stderr, done
    assert target.read_text() == "as it was"
