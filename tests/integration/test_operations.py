"""An operator's day: init, serve, drain, reload, look, revoke, and a signer that dies."""

import datetime
import hashlib
import json
import os
import re
import signal
import ssl
import socket
import subprocess
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from acme_client import AcmeError, Client, make_csr
from crash import chained_lines
from relying_parties import crl_of, issuer_of, ocsp_response, ocsp_status, on_crl
from servers import SETTLE_DEADLINE, AgentCa, Solver, accepts, fetch, free_port, wait_for

pytestmark = pytest.mark.needs_agentca


def tree(directory):
    """Every file with its content, mode and owner."""
    return {str(path.relative_to(directory)): (
        path.stat().st_mode, path.stat().st_uid,
        hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "")
        for path in sorted(directory.rglob("*"))}


def client_of(server, challenges):
    client = Client(server.directory_url, str(server.root_file), solver=Solver(challenges))
    client.register()
    return client


# ---- init ---------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def cold(tmp_path_factory, challenges):
    """An initialised directory that nobody serves."""
    return AgentCa(tmp_path_factory.mktemp("cold") / "ca", challenges)


def test_second_init_changes_nothing_and_says_so(cold):
    before = tree(cold.directory)
    done = cold.run("init", "--dir", cold.directory, "--trust-domain", "other.example")
    assert done.returncode != 0
    assert str(cold.directory) in done.stderr and done.stderr.strip()
    assert tree(cold.directory) == before


def test_secrets_are_readable_by_their_owner_alone(cold):
    assert cold.directory.stat().st_mode & 0o077 == 0
    for path in cold.directory.rglob("*"):
        public = path.suffix == ".pem" and path.parent.name == "ca"
        if path.is_file() and not public and path.stat().st_mode & 0o007:
            assert path.parent.stat().st_mode & 0o007 == 0 or \
                cold.directory.stat().st_mode & 0o007 == 0, path


def test_ca_keys_are_in_the_token_and_cannot_leave_it(cold):
    """pkcs11-tool, which is not ours, reads the attributes."""
    conf = {m[1]: m[2] for m in re.finditer(r"^([a-z0-9-]+) = (.*)$",
                                            (cold.directory / "agentca.conf").read_text(), re.M)}
    pin = (cold.directory / conf["pin-file"]).read_text().splitlines()[0]
    done = subprocess.run(
        ["pkcs11-tool", "--module", conf["pkcs11-module"], "--token-label", conf["token-label"],
         "--login", "--pin", pin, "--list-objects", "--type", "privkey"],
        env={**os.environ, "SOFTHSM2_CONF": str(cold.directory / conf["softhsm2-conf"])},
        capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    keys = re.findall(r"label: +(\S+)", done.stdout)
    assert sorted(keys) == ["issuing", "ocsp", "root"]
    access = re.findall(r"Access: +(.*)", done.stdout)
    assert len(access) == 3
    for words in access:
        assert {"sensitive", "always sensitive", "never extractable", "local"} <= \
            {word.strip() for word in words.split(",")}, words
    for usage in re.findall(r"Usage: +(.*)", done.stdout):
        assert usage.strip() == "sign"
    # Keys of the server's TLS and of the first administrator are no CA keys.
    files = [p for p in cold.directory.rglob("*")
             if p.is_file() and p.parent.name not in ("tls", "admin")]
    assert not [p for p in files if b"PRIVATE KEY" in p.read_bytes()]


def test_hierarchy_is_as_issue_wants(cold):
    read = lambda name: x509.load_pem_x509_certificate(  # noqa: E731
        (cold.directory / "ca" / name).read_bytes())
    root, issuing = read("root.pem"), read("issuing.pem")
    constraints = issuing.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical and constraints.value.ca and constraints.value.path_length == 0
    assert root.issuer == root.subject == issuing.issuer


@pytest.mark.parametrize("key_type, kind", [("p384", ec.EllipticCurvePublicKey),
                                            ("rsa3072", rsa.RSAPublicKey)])
def test_other_key_types_serve_as_well(tmp_path, challenges, key_type, kind):
    server = AgentCa(tmp_path / "ca", challenges, init=["--key-type", key_type]).start()
    try:
        client = client_of(server, challenges)
        issued = client.obtain([f"{key_type}.key.test"])
        issuing = issuer_of(issued.certificate)
        assert isinstance(issuing.public_key(), kind)
        assert ocsp_status(server, issued.certificate) == "good"
        assert client.revoke(issued.certificate).status == 200
        wait_for(lambda: on_crl(issued.certificate), SETTLE_DEADLINE, "the CRL lists it")
        client.close()
    finally:
        server.stop()


def test_name_constraints_bind(tmp_path, challenges):
    server = AgentCa(tmp_path / "ca", challenges,
                     init=["--name-constraint", "inside.test", "--name-constraint",
                           "localhost"]).start()
    try:
        issuing = x509.load_pem_x509_certificate((server.directory / "ca/issuing.pem").read_bytes())
        constraints = issuing.extensions.get_extension_for_class(x509.NameConstraints)
        assert constraints.critical
        assert x509.DNSName("inside.test") in constraints.value.permitted_subtrees
        client = client_of(server, challenges)
        issued = client.obtain(["a.inside.test"])
        (tmp_path / "leaf.pem").write_bytes(issued.chain_pem)
        done = subprocess.run(["openssl", "verify", "-CAfile", server.root_file, "-untrusted",
                               server.directory / "ca/issuing.pem", tmp_path / "leaf.pem"],
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        with pytest.raises((AcmeError, AssertionError)):
            client.obtain(["a.outside.test"])
        client.close()
    finally:
        server.stop()


# ---- configuration ------------------------------------------------------------------------------
BAD_OPTIONS = [
    (["--acme-listen", "nonsense"], "acme-listen"), (["--http01-port", "0"], "http01-port"),
    (["--http01-port", "65536"], "http01-port"), (["--validation-allow", "10/8/8"], "validation-allow"),
    (["--storage", "mysql:x"], "mysql"), (["--no-such-option"], "no-such-option"),
    (["--dns-resolver", "resolver"], "dns-resolver"), (["--profile", "../x"], "profile"),
    (["--external-url", "ftp://x"], "external-url"), (["--log-level", "loud"], "log-level"),
]


@pytest.mark.parametrize("options, word", BAD_OPTIONS, ids=[" ".join(o) for o, _ in BAD_OPTIONS])
def test_a_bad_option_is_named_and_refused(cold, options, word):
    done = cold.run("serve", "--dir", cold.directory, *options)
    assert done.returncode != 0
    assert word in done.stderr


@pytest.mark.parametrize("line", ["no-such-key = 1", "http01-port = many", "= 1", "[section]",
                                  "acme-listen = 127.0.0.1:1\nacme-listen = 127.0.0.1:2"])
def test_a_bad_line_of_agentca_conf_is_named_with_its_number(tmp_path, challenges, line):
    server = AgentCa(tmp_path / "ca", challenges)
    conf = server.directory / "agentca.conf"
    conf.write_text(conf.read_text() + line + "\n")
    done = server.cli("serve", check=False)
    assert done.returncode != 0
    assert re.search(r"agentca\.conf:\d+", done.stderr), done.stderr


def test_serve_without_init_says_what_to_do(tmp_path, cold):
    done = cold.run("serve", "--dir", tmp_path / "nowhere")
    assert done.returncode != 0 and "init" in done.stderr


def test_a_second_server_on_the_directory_is_refused(own_agentca):
    done = own_agentca.run("serve", "--dir", own_agentca.directory, "--acme-listen",
                           f"127.0.0.1:{free_port()}", "--http-listen", f"127.0.0.1:{free_port()}")
    assert done.returncode != 0 and done.stderr.strip()
    assert own_agentca.readyz() == 200


def test_a_port_in_use_is_refused_and_never_shared(own_agentca, tmp_path, challenges):
    other = AgentCa(tmp_path / "other", challenges)
    done = other.cli("serve", "--acme-listen", f"127.0.0.1:{own_agentca.acme_port}", check=False)
    assert done.returncode != 0 and str(own_agentca.acme_port) in done.stderr


def test_signer_is_not_for_hands(cold):
    assert cold.cli("signer", check=False).returncode != 0


# ---- serving ------------------------------------------------------------------------------------
def test_status_in_words_and_json(own_agentca):
    words = own_agentca.cli("status").stdout
    assert own_agentca.directory_url in words and own_agentca.http_url in words
    status = own_agentca.json("status")
    assert status["healthy"] is True and status["server"]["running"] is True
    assert status["server"]["directory"] == own_agentca.directory_url
    what = {entry["what"] for entry in status["expires"]}
    assert {"root certificate", "issuing certificate", "OCSP delegate", "TLS certificate"} <= what
    assert {key["name"] for key in status["keys"]} == {"root", "issuing", "ocsp"}
    own_agentca.stop()
    stopped = own_agentca.run("status", "--dir", own_agentca.directory, "--json")
    assert stopped.returncode != 0
    status = json.loads(stopped.stdout)
    assert status["server"]["running"] is False and status["faults"] == ["the server does not run"]


@pytest.mark.alone
def test_operator_lists_shows_and_revokes_while_serving(own_agentca, challenges):
    client = client_of(own_agentca, challenges)
    issued = client.obtain(["cli.operations.test"])
    certificate = issued.certificate
    (row,) = own_agentca.json("cert", "list", "--name", "cli.operations.test")
    assert int(row["serial"], 16) == issued.serial and row["state"] == "valid"
    assert row["names"] == ["cli.operations.test"]
    shown = own_agentca.json("cert", "show", row["serial"])
    assert x509.load_pem_x509_certificate(shown["pem"].encode()) == certificate
    assert ocsp_status(own_agentca, certificate) == "good"
    assert not on_crl(certificate)

    own_agentca.cli("cert", "revoke", row["serial"], "--reason", "keyCompromise")
    acknowledged = time.monotonic()
    wait_for(lambda: ocsp_status(own_agentca, certificate) == "revoked" and on_crl(certificate),
             SETTLE_DEADLINE, "OCSP and CRL say so")
    assert time.monotonic() - acknowledged < 1.5, "within a second, and the look itself"
    response = ocsp_response(own_agentca, certificate)
    assert response.revocation_reason is x509.ReasonFlags.key_compromise
    again = own_agentca.cli("cert", "revoke", row["serial"], check=False)
    assert again.returncode != 0 and "already" in again.stderr.lower()
    assert own_agentca.json("cert", "show", row["serial"])["state"] == "revoked"
    assert client.revoke(certificate).problem == "alreadyRevoked"
    client.close()


@pytest.mark.parametrize("serial", ["00", "xyz", "7fffffffffffffffff", "-1", "", "a" * 100])
def test_revoking_what_was_never_issued_fails(agentca, serial):
    done = agentca.cli("cert", "revoke", serial, check=False)
    assert done.returncode != 0 and done.stderr.strip()


def test_operator_revokes_while_nobody_serves(own_agentca, challenges):
    client = client_of(own_agentca, challenges)
    issued = client.obtain(["offline.operations.test"])
    client.close()
    own_agentca.stop()
    own_agentca.cli("cert", "revoke", f"{issued.serial:026x}")
    own_agentca.start()
    assert ocsp_status(own_agentca, issued.certificate) == "revoked"
    wait_for(lambda: on_crl(issued.certificate), SETTLE_DEADLINE, "the CRL lists it")


@pytest.mark.alone
def test_revocation_over_acme_is_served_within_a_second(client, agentca):
    issued = client.obtain(["acme-revoke.operations.test"])
    assert ocsp_status(agentca, issued.certificate) == "good"  # cached from here on
    number = crl_of(issued.certificate).extensions.get_extension_for_class(
        x509.CRLNumber).value.crl_number
    assert client.revoke(issued.certificate, 4).status == 200
    acknowledged = time.monotonic()
    wait_for(lambda: ocsp_status(agentca, issued.certificate) == "revoked" and
             on_crl(issued.certificate), SETTLE_DEADLINE, "OCSP and CRL say so")
    assert time.monotonic() - acknowledged < 1.5
    assert crl_of(issued.certificate).extensions.get_extension_for_class(
        x509.CRLNumber).value.crl_number > number


def test_ocsp_is_unauthorized_for_what_is_not_ours(agentca, client):
    """RFC 6960 §4.2.2.3, RFC 9919: no record, or an issuer we do not serve; never good."""
    issued = client.obtain(["ours.operations.test"])
    issuer = issuer_of(issued.certificate)

    stranger_key = ec.generate_private_key(ec.SECP256R1())
    stranger = self_signed("stranger", stranger_key)
    assert ocsp_status(agentca, stranger, stranger) == "unauthorized"
    forged = self_signed("forged", stranger_key, issuer.subject)
    assert ocsp_status(agentca, forged, issuer) == "unauthorized"


def self_signed(name, key, issuer=None):
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.utcnow()
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
            .sign(key, hashes.SHA256()))


def served_certificate(server):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(server.root_file)
    context.check_hostname = False
    with socket.create_connection(("127.0.0.1", server.acme_port), timeout=10) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as stream:
            return x509.load_der_x509_certificate(stream.getpeercert(binary_form=True))


def test_sighup_reloads_the_tls_certificate(own_agentca):
    """The old connection lives on, new ones see the new certificate."""
    first = served_certificate(own_agentca)
    kept = Client(own_agentca.directory_url, str(own_agentca.root_file))
    assert kept.get(kept.directory_url).status == 200
    key, chain = own_agentca.directory / "tls/key.pem", own_agentca.directory / "tls/chain.pem"
    new_key = ec.generate_private_key(ec.SECP256R1())
    client = Client(own_agentca.directory_url, str(own_agentca.root_file),
                    solver=Solver(own_agentca.challenges))
    client.register()
    issued = client.obtain(["reload.operations.test"], certificate_key=new_key)
    key.write_bytes(new_key.private_bytes(serialization.Encoding.PEM,
                                          serialization.PrivateFormat.PKCS8,
                                          serialization.NoEncryption()))
    chain.write_bytes(issued.chain_pem)
    own_agentca.program.process.send_signal(signal.SIGHUP)
    wait_for(lambda: served_certificate(own_agentca).serial_number == issued.serial,
             SETTLE_DEADLINE, "the new certificate is served")
    assert first.serial_number != issued.serial
    assert kept.get(kept.directory_url).status == 200
    kept.close()
    client.close()


def test_sighup_with_a_broken_certificate_keeps_the_old_one(own_agentca):
    first = served_certificate(own_agentca)
    chain = own_agentca.directory / "tls/chain.pem"
    good = chain.read_bytes()
    chain.write_bytes(b"-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n")
    size = own_agentca.log.stat().st_size
    own_agentca.program.process.send_signal(signal.SIGHUP)
    wait_for(lambda: b"TLS" in own_agentca.log.read_bytes()[size:] or
             b"tls" in own_agentca.log.read_bytes()[size:], SETTLE_DEADLINE,
             "the log tells of it")
    assert own_agentca.program.running()
    assert served_certificate(own_agentca).serial_number == first.serial_number
    chain.write_bytes(good)


def test_sigterm_drains(own_agentca, challenges):
    """A request under way is answered; then the process ends with 0, and so does the signer."""
    client = client_of(own_agentca, challenges)
    signer = own_agentca.signer_pid()
    url = client.directory["newOrder"]
    body = json.dumps(client.sign(client.key, client.protected(url), {
        "identifiers": [{"type": "dns", "value": "drain.operations.test"}]})).encode()
    context = ssl.create_default_context(cafile=str(own_agentca.root_file))
    with socket.create_connection(("127.0.0.1", own_agentca.acme_port), timeout=15) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as stream:
            stream.sendall(b"POST " + url.split(str(own_agentca.acme_port))[1].encode() +
                           b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/jose+json\r\n"
                           b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body[:50])
            # Half a request is there before the signal, the rest comes after it.
            assert fetch(f"{own_agentca.http_url}/healthz")[0] == 200
            own_agentca.program.process.send_signal(signal.SIGTERM)
            wait_for(lambda: not accepts(own_agentca.acme_port), SETTLE_DEADLINE,
                     "it stops accepting")
            stream.sendall(body[50:])
            answer = b""
            while chunk := stream.recv(65536):
                answer += chunk
    assert answer.startswith(b"HTTP/1.1 201"), answer
    assert b"connection: close" in answer.lower()
    assert own_agentca.program.process.wait(20) == 0
    wait_for(lambda: not os.path.exists(f"/proc/{signer}"), SETTLE_DEADLINE, "the signer ends")
    client.close()


def test_orders_survive_a_restart(own_agentca, challenges):
    client = client_of(own_agentca, challenges)
    created = client.new_order(["restart.operations.test"])
    client.authorize(created.json)
    own_agentca.stop()
    own_agentca.start()
    client.connection.close()
    client.nonces.clear()
    assert client.fetch(created.location).json["status"] == "ready"
    key = ec.generate_private_key(ec.SECP256R1())
    assert client.finalize(created.json, make_csr(["restart.operations.test"], key)).status == 200
    order = client.wait(created.location, lambda o: o["status"] != "processing")
    assert order["status"] == "valid"
    client.close()


# ---- the signer ---------------------------------------------------------------------------------
def test_a_killed_signer_comes_back_by_itself(own_agentca, challenges):
    client = client_of(own_agentca, challenges)
    issued = client.obtain(["before.signer.test"])
    first = own_agentca.signer_pid()
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: own_agentca.signer_pid() not in (None, first) and
             own_agentca.readyz() == 200, 30, "ready again")
    assert client.obtain(["after.signer.test"]).serial != issued.serial
    assert ocsp_status(own_agentca, issued.certificate) == "good"
    client.close()


def test_a_stopped_signer_is_killed_and_requests_meanwhile_get_503(own_agentca, challenges):
    """SIGSTOP is a hang of the HSM. RFC 8555 §6.7 serverInternal, with Retry-After; readyz names the
    part; nothing is lost: the order settles."""
    client = client_of(own_agentca, challenges)
    name = "hang.signer.test"
    created = client.new_order([name])
    client.authorize(created.json)
    first = own_agentca.signer_pid()
    os.kill(first, signal.SIGSTOP)
    seen = set()

    def watch():
        while own_agentca.signer_pid() in (None, first):
            status, headers, body = fetch(f"{own_agentca.http_url}/readyz")
            seen.add((status, body.strip()))
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    answer = client.finalize(created.json, make_csr([name], ec.generate_private_key(ec.SECP256R1())))
    watcher.join(60)
    assert not watcher.is_alive()
    assert answer.status in (200, 503), answer
    if answer.status == 503:
        assert answer.headers["Retry-After"]
    assert any(status == 503 and b"signer" in body for status, body in seen), seen
    wait_for(lambda: own_agentca.readyz() == 200, 30, "ready again")
    order = client.wait(created.location, lambda o: o["status"] != "processing")
    if order["status"] == "ready":
        again = client.finalize(created.json,
                                make_csr([name], ec.generate_private_key(ec.SECP256R1())))
        assert again.status == 200
        order = client.wait(created.location, lambda o: o["status"] != "processing")
    assert order["status"] in ("valid", "invalid")
    assert client.obtain(["after.hang.test"]).chain
    client.close()


def test_the_signer_alone_opens_the_token(own_agentca):
    """Only the signer has the PKCS#11 module mapped; serve never does."""
    maps = lambda pid: open(f"/proc/{pid}/maps").read()  # noqa: E731
    assert "softhsm" in maps(own_agentca.signer_pid())
    assert "softhsm" not in maps(own_agentca.program.pid)


def test_logs_are_chained_and_tampering_is_found(own_agentca, challenges):
    client = client_of(own_agentca, challenges)
    serial = client.obtain(["audit.operations.test"]).serial
    client.close()
    used = [int(e["object"], 16) for e in chained_lines(own_agentca.key_usage_log)
            if e["event"] == "key-use" and e["purpose"] == "certificate"]
    assert serial in used
    chained_lines(own_agentca.audit_log)
    assert own_agentca.cli("audit", "verify").returncode == 0
    own_agentca.stop()
    octets = own_agentca.audit_log.read_bytes()
    at = octets.index(b'"event":"') + 9
    own_agentca.audit_log.write_bytes(octets[:at] + b"X" + octets[at + 1:])
    done = own_agentca.cli("audit", "verify", check=False)
    assert done.returncode != 0
    own_agentca.audit_log.write_bytes(octets)


def test_healthz_readyz_and_root(agentca):
    assert fetch(f"{agentca.http_url}/healthz")[0] == 200
    assert fetch(f"{agentca.http_url}/readyz")[0] == 200
    status, headers, body = fetch(f"{agentca.http_url}/root.pem")
    assert status == 200 and body == agentca.root_file.read_bytes()


def test_help_and_version_need_no_directory(agentca):
    for words in (["--help"], ["serve", "--help"], ["init", "--help"], ["cert", "list", "--help"]):
        done = agentca.run(*words)
        assert done.returncode == 0 and "--dir" in done.stdout, words
    assert agentca.run("no-such-command").returncode != 0
