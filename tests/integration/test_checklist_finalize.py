"""Checklist points 60 to 70: finalize, certificate, revocation (RFC 8555 §7.4, §7.6)."""

import ipaddress
import subprocess
import threading

import pytest
from acme_client import JOSE, Client, Key, b64, compact, make_csr
from checklist import assert_problem
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from servers import SETTLE_DEADLINE, fetch, wait_for


def ready_order(client, *names):
    created = client.new_order(names)
    client.authorize(created.json, "dns-01" if any(n.startswith("*.") for n in names) else "http-01")
    return created


def test_60_finalize_before_ready_is_403_and_changes_nothing(client):
    """§7.4"""
    created = client.new_order(["point60.example.test"])
    before = client.fetch(created.location).json
    assert_problem(client.finalize(created.json, make_csr(["point60.example.test"])),
                   403, "orderNotReady")
    assert client.fetch(created.location).json == before


def broken_signature():
    csr = bytearray(make_csr(["point61.example.test"]))
    csr[-5] ^= 1
    return bytes(csr)


def sha1_csr(tmp_path):
    """Made by openssl: cryptography refuses to sign with SHA-1."""
    subprocess.run(["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-sha1", "-subj", "/",
                    "-addext", "subjectAltName=DNS:point61.example.test", "-outform", "DER",
                    "-keyout", tmp_path / "key.pem", "-out", tmp_path / "csr.der"],
                   check=True, capture_output=True)
    return (tmp_path / "csr.der").read_bytes()


def san(*names):
    return [(x509.SubjectAlternativeName(names), False)]


NAME = "point61.example.test"
BAD_CSRS = {
    "one name more": lambda: make_csr([NAME, "other.example.test"]),
    "another name": lambda: make_csr(["other.example.test"]),
    "another common name": lambda: make_csr([NAME], subject="other.example.test"),
    "no name": lambda: make_csr([]),
    "email SAN": lambda: make_csr([], extensions=san(x509.DNSName(NAME),
                                                     x509.RFC822Name("a@example.test"))),
    "URI SAN": lambda: make_csr([], extensions=san(
        x509.DNSName(NAME), x509.UniformResourceIdentifier("spiffe://test.example/x"))),
    "IP SAN": lambda: make_csr([], extensions=san(
        x509.DNSName(NAME), x509.IPAddress(ipaddress.ip_address("127.0.0.1")))),
    "otherName SAN": lambda: make_csr([], extensions=san(
        x509.DNSName(NAME), x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"),
                                           b"\x0c\x01a"))),
    "directoryName SAN": lambda: make_csr([], extensions=san(
        x509.DNSName(NAME), x509.DirectoryName(x509.Name([])))),
    "bad signature": broken_signature,
    "RSA 1024": lambda: make_csr([NAME], rsa.generate_private_key(65537, 1024)),
    "P-224": lambda: make_csr([NAME], ec.generate_private_key(ec.SECP224R1())),
    "trailing octets": lambda: make_csr([NAME]) + b"\0",
    "truncated": lambda: make_csr([NAME])[:-1],
    "not DER": lambda: b"\x30\x80" + b"\0" * 20,
    "empty": lambda: b"",
}


@pytest.mark.parametrize("case", BAD_CSRS)
def test_61_csr_must_match_the_order_exactly(client, case):
    """§7.4: badCSR, and the order stays ready."""
    created = ready_order(client, NAME)
    assert_problem(client.finalize(created.json, BAD_CSRS[case]()), 400, "badCSR")
    assert client.fetch(created.location).json["status"] == "ready"


def test_61_sha1_signature_is_bad_csr(client, tmp_path):
    """§7.4"""
    created = ready_order(client, NAME)
    assert_problem(client.finalize(created.json, sha1_csr(tmp_path)), 400, "badCSR")
    assert client.fetch(created.location).json["status"] == "ready"


@pytest.mark.parametrize("names", [["a61.example.test"], ["a61.example.test", "b61.example.test"],
                                   ["*.w61.example.test", "w61.example.test"]])
def test_61_names_in_any_order_and_case_or_as_common_name_match(client, names):
    """§7.4"""
    created = ready_order(client, *names)
    csr = make_csr([n.upper() for n in reversed(names)], subject=names[0])
    assert client.finalize(created.json, csr).status == 200
    assert client.wait(created.location, lambda o: o["status"] != "processing")["status"] == "valid"


def test_62_csr_key_may_not_be_an_account_key(client, new_client):
    """§11.1"""
    other = new_client()
    other.register()
    for key in (client.key.private, other.key.private):
        created = ready_order(client, "point62.example.test")
        assert_problem(client.finalize(created.json, make_csr(["point62.example.test"], key)),
                       400, "badCSR")
        assert client.fetch(created.location).json["status"] == "ready"


def test_63_csr_extensions_and_subject_are_never_copied(client):
    """Security: cf. CVEs of other CAs."""
    name = "point63.example.test"
    key = ec.generate_private_key(ec.SECP256R1())
    csr = make_csr([name], key, extensions=[
        (x509.BasicConstraints(ca=True, path_length=3), True),
        (x509.KeyUsage(*[True] * 7, False, False), True),
        (x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.9"),
                                x509.ObjectIdentifier("2.5.29.37.0")]), False),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00"), False),
        (x509.CertificatePolicies([x509.PolicyInformation(
            x509.ObjectIdentifier("2.23.140.1.1"), None)]), False)])
    leaf = client.obtain([name], certificate_key=key, csr=csr).certificate
    constraints = [e.value for e in leaf.extensions if e.oid == x509.BasicConstraints.oid]
    assert not any(value.ca for value in constraints)
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    assert not usage.key_cert_sign and not usage.crl_sign
    purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert not {"1.3.6.1.5.5.7.3.9", "2.5.29.37.0"} & {p.dotted_string for p in purposes}
    assert "1.2.3.4.5" not in {e.oid.dotted_string for e in leaf.extensions}
    policies = [e for e in leaf.extensions if e.oid == x509.CertificatePolicies.oid]
    assert not any(p.policy_identifier.dotted_string == "2.23.140.1.1"
                   for e in policies for p in e.value)


def test_64_parallel_finalize_issues_one_certificate(client, agentca):
    """§7.1.6"""
    for turn in range(5):
        name = f"point64-{turn}.example.test"
        created = ready_order(client, name)
        statuses, barrier = [], threading.Barrier(4)

        def shoot():
            twin = Client(agentca.directory_url, str(agentca.root_file), key=client.key)
            twin.kid = client.kid
            csr, _ = make_csr([name]), twin.directory
            nonce = twin.nonce()
            twin.nonces.append(nonce)
            barrier.wait()
            statuses.append(twin.finalize(created.json, csr).status)
            twin.close()

        threads = [threading.Thread(target=shoot) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(statuses) == [200, 403, 403, 403]
        order = client.wait(created.location, lambda o: o["status"] != "processing")
        assert order["status"] == "valid"
        listed = agentca.json("cert", "list", "--name", name)
        listed = listed["certificates"] if isinstance(listed, dict) else listed
        assert len(listed) == 1


def test_65_while_processing_the_order_says_when_to_come_back(client):
    """§7.4: an answer that says processing has Retry-After; finalize may also be valid at once."""
    created = ready_order(client, "point65.example.test")
    answer = client.finalize(created.json, make_csr(["point65.example.test"]))
    assert answer.status == 200
    if answer.json["status"] == "processing":
        assert int(answer.headers["Retry-After"]) >= 1
    else:
        assert answer.json["status"] == "valid" and answer.json["certificate"]


def test_66_certificate_is_a_pem_chain_leaf_first_and_nothing_else(client, agentca):
    """§7.4.2, §9.1"""
    issued = client.obtain(["point66.example.test"])
    response = client.must(issued.order["certificate"], None)
    assert response.content_type == "application/pem-certificate-chain"
    text = response.body.decode("ascii")
    lines = text.splitlines()
    assert text.endswith("-----END CERTIFICATE-----\n") and "\r" not in text
    inside = False
    for line in lines:
        if line == "-----BEGIN CERTIFICATE-----":
            assert not inside
            inside = True
        elif line == "-----END CERTIFICATE-----":
            assert inside
            inside = False
        else:
            assert inside and len(line) <= 64
    chain = issued.chain
    assert len(chain) >= 2
    assert chain[0].issuer == chain[1].subject
    assert chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value \
        .get_values_for_type(x509.DNSName) == ["point66.example.test"]
    root = x509.load_pem_x509_certificate(agentca.root_file.read_bytes())
    assert root not in chain


@pytest.mark.parametrize("accept", ["application/pem-certificate-chain", "*/*"])
def test_66_accept_header_is_respected(client, accept):
    """§7.4.2"""
    issued = client.obtain(["point66b.example.test"])
    header = client.protected(issued.order["certificate"])
    response = client.request("POST", issued.order["certificate"],
                              compact(client.sign(client.key, header, None)),
                              {"Content-Type": JOSE, "Accept": accept})
    assert response.status == 200


def test_67_the_owner_may_revoke(client):
    """§7.6"""
    issued = client.obtain(["point67a.example.test"])
    response = client.revoke(issued.certificate, reason=4)
    assert response.status == 200 and response.body == b""


def test_67_another_account_that_holds_all_authorizations_may_revoke(new_client):
    """§7.6"""
    owner, other = new_client(), new_client()
    owner.register()
    other.register()
    names = ["point67b.example.test", "point67c.example.test"]
    issued = owner.obtain(names)
    assert_problem(other.revoke(issued.certificate), 403, "unauthorized")
    ready_order(other, names[0])
    assert_problem(other.revoke(issued.certificate), 403, "unauthorized")
    ready_order(other, names[1])
    assert other.revoke(issued.certificate).status == 200


def test_67_a_wildcard_needs_a_wildcard_authorization(new_client):
    """§7.6"""
    owner, other = new_client(), new_client()
    owner.register()
    other.register()
    issued = owner.obtain(["*.point67w.example.test"], kind="dns-01")
    ready_order(other, "point67w.example.test")
    assert_problem(other.revoke(issued.certificate), 403, "unauthorized")
    ready_order(other, "*.point67w.example.test")
    assert other.revoke(issued.certificate).status == 200


def test_67_the_certificate_key_may_revoke_without_account(client, new_client):
    """§7.6"""
    key = Key.generate()
    issued = client.obtain(["point67k.example.test"], certificate_key=key.private)
    stranger = new_client()
    assert_problem(stranger.revoke(issued.certificate, key=Key.generate()), 403, "unauthorized")
    assert stranger.revoke(issued.certificate, key=key).status == 200


def test_67_certificates_that_are_not_ours_are_not_revoked(client):
    """§7.6: same issuer name and serial, other bytes."""
    issued = client.obtain(["point67f.example.test"])
    der = bytearray(issued.certificate.public_bytes(serialization.Encoding.DER))
    der[-3] ^= 1
    url = client.directory["revokeCert"]
    response = client.post(url, {"certificate": b64(bytes(der))})
    assert response.status in (400, 403, 404) and response.problem
    for payload in ({}, {"certificate": 1}, {"certificate": ""}, {"certificate": "AAAA"}, None):
        assert client.post(url, payload).status == 400
    assert client.revoke(issued.certificate).status == 200


def test_68_repeat_is_already_revoked_and_bad_reasons_are_named(client):
    """§7.6"""
    issued = client.obtain(["point68.example.test"])
    for reason in (2, 6, 7, 8, 10, 11, -1, 255, "1", 1.5, True, 2**40):
        response = client.revoke(issued.certificate, reason=reason)
        assert response.status == 400 and response.problem in ("badRevocationReason", "malformed"), \
            (reason, response.body)
        if isinstance(reason, int) and not isinstance(reason, bool):
            assert response.problem == "badRevocationReason"
    assert client.revoke(issued.certificate, reason=1).status == 200
    assert_problem(client.revoke(issued.certificate, reason=1), 400, "alreadyRevoked")


@pytest.mark.parametrize("reason", [None, 0, 1, 3, 4, 5, 9])
def test_69_unset_reason_is_omitted_from_crl_and_ocsp(client, agentca, tmp_path, reason):
    """§7.6, RFC 5280 §5.3.1"""
    issued = client.obtain(["point69.example.test"])
    assert client.revoke(issued.certificate, reason=reason).status == 200
    leaf, issuer = tmp_path / "leaf.pem", tmp_path / "issuer.pem"
    leaf.write_bytes(issued.chain[0].public_bytes(serialization.Encoding.PEM))
    issuer.write_bytes(issued.chain[1].public_bytes(serialization.Encoding.PEM))
    answer = subprocess.run(
        ["openssl", "ocsp", "-issuer", issuer, "-cert", leaf, "-url", f"{agentca.http_url}/ocsp",
         "-CAfile", agentca.root_file, "-resp_text"], capture_output=True, text=True)
    assert "Response verify OK" in answer.stderr + answer.stdout
    assert f"{leaf}: revoked" in answer.stdout
    assert ("Reason:" in answer.stdout) == bool(reason)
    points = issued.certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    url = points[0].full_name[0].value

    def entry():
        path = url.split("/", 3)[3]
        crl = x509.load_der_x509_crl(fetch(f"{agentca.http_url}/{path}")[2])
        return crl.get_revoked_certificate_by_serial_number(issued.serial)

    found = wait_for(entry, SETTLE_DEADLINE, "serial in the CRL")
    assert any(e.oid == x509.CRLReason.oid for e in found.extensions) == bool(reason)


def test_70_new_authz_is_omitted_from_the_directory(client):
    """§7.1.1, §7.4.1: pre-authorization is not offered."""
    assert "newAuthz" not in client.directory
    for name in ("newNonce", "newAccount", "newOrder", "revokeCert", "keyChange"):
        assert client.directory[name].startswith("https://")


def test_leaf_signatures_use_sha256_or_better(client):
    leaf = client.obtain(["digest.example.test"]).certificate
    assert isinstance(leaf.signature_hash_algorithm, (hashes.SHA256, hashes.SHA384))
