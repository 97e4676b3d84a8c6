"""Malformed, oversized, deep, duplicated and non-UTF-8 input over real sockets: always a 4xx problem
document with a fresh nonce, never an internal detail, and the server serves on."""

import base64
import datetime
import ipaddress
import json
import re
import socket
import ssl
import threading
import urllib.parse

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509 import ocsp

from acme_client import Client, b64, compact, make_csr
from servers import Solver, fetch

pytestmark = pytest.mark.needs_agentca

INTERNAL = re.compile(
    rb"what\(\)|terminate|exception|std::|boost|beast|rapidjson|sqlite|openssl|:lib\(|error:[0-9A-F]{8}|"
    rb"pkcs11|CKR_|\.cc|\.h:|/src/|/home/|/tmp/|0x[0-9a-f]{6,}|backtrace|assert", re.IGNORECASE)


@pytest.fixture(autouse=True)
def still_serves(agentca):
    """Whatever a test sent, the same process goes on and issues."""
    pid = agentca.program.pid
    signer = agentca.signer_pid()
    yield
    assert agentca.program.running() and agentca.program.pid == pid
    assert agentca.readyz() == 200
    assert agentca.signer_pid() == signer, "hostile input restarted the signer"


def assert_refused(response, nonce=True, statuses=range(400, 500)):
    seen = f"{response.status} {response.headers.items()} {response.body[:500]!r}"
    assert response.status in statuses, seen
    assert response.content_type == "application/problem+json", seen
    document = response.json
    assert document["type"].startswith("urn:ietf:params:acme:error:"), seen
    assert document.get("status", response.status) == response.status, seen
    assert not INTERNAL.search(response.body), seen
    if nonce:
        assert re.fullmatch(r"[A-Za-z0-9_-]{16,}", response.nonce or ""), seen
    return response


# ---- JSON in the body ---------------------------------------------------------------------------
DEEP = 100_000
BODIES = {
    "empty": b"",
    "white space": b" \r\n\t ",
    "not JSON": b"hello",
    "truncated": b'{"protected":"',
    "unterminated escape": b'{"protected":"\\u12',
    "array": b"[]",
    "string": b'"protected"',
    "null": b"null",
    "number": b"1e400",
    "huge number": b"9" * 5000,
    "trailing garbage": b'{"protected":"","payload":"","signature":""}x',
    "two documents": b'{"protected":"","payload":"","signature":""}' * 2,
    "empty object": b"{}",
    "deep array": b"[" * DEEP,
    "deep array, closed": b"[" * 60_000 + b"]" * 60_000,
    "deep object": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "duplicate member": b'{"protected":"","protected":"","payload":"","signature":""}',
    "wrong types": b'{"protected":{},"payload":[],"signature":1}',
    "nulls": b'{"protected":null,"payload":null,"signature":null}',
    "invalid UTF-8": b'{"protected":"\xff\xfe","payload":"","signature":""}',
    "overlong UTF-8": b'{"protected":"\xc0\x80","payload":"","signature":""}',
    "surrogate in UTF-8": b'{"protected":"\xed\xa0\x80","payload":"","signature":""}',
    "lone surrogate escape": b'{"protected":"\\ud800","payload":"","signature":""}',
    "NUL octet": b'{"protected":"\x00","payload":"","signature":""}',
    "NUL octets only": b"\x00" * 1000,
    "NUL escape": b'{"protected":"\\u0000","payload":"","signature":""}',
    "UTF-16": '{"protected":""}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"protected":"","payload":"","signature":""}',
    "comment": b'{"protected":"",/* */"payload":"","signature":""}',
    "NaN": b'{"protected":NaN,"payload":"","signature":""}',
    "bad base64url": b'{"protected":"****","payload":"","signature":""}',
    "base64, not base64url": b'{"protected":"ab+/","payload":"","signature":"ab+/"}',
    "protected is not JSON": compact({"protected": b64(b"hello"), "payload": "", "signature": ""}),
    "protected is an array": compact({"protected": b64(b"[]"), "payload": "", "signature": ""}),
    "protected is deep": compact({"protected": b64(b"[" * 50_000), "payload": "",
                                  "signature": ""}),
    "protected is not UTF-8": compact({"protected": b64(b'{"alg":"\xff"}'), "payload": "",
                                       "signature": ""}),
    "protected repeats alg": compact({"protected": b64(b'{"alg":"ES256","alg":"none"}'),
                                      "payload": "", "signature": ""}),
    "many members": compact({f"m{n}": n for n in range(8000)}),
    "long string": compact({"protected": "A" * 100_000, "payload": "", "signature": ""}),
    "form": b"protected=a&payload=b&signature=c",
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "random": bytes((n * 167 + 13) % 256 for n in range(4096)),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("resource", ["newAccount", "newOrder", "revokeCert", "keyChange"])
def test_hostile_body(new_client, resource, body):
    client = new_client()
    assert_refused(client.post_raw(client.directory[resource], body))


def test_oversized_body(new_client):
    client = new_client()
    response = client.post_raw(client.directory["newOrder"], b'{"a":"' + b"A" * 300_000 + b'"}')
    assert_refused(response, statuses=(413,))


# ---- Payloads inside a valid JWS ----------------------------------------------------------------
def san(*names):
    return x509.SubjectAlternativeName(names)


ORDERS = {
    "no identifiers": {},
    "identifiers empty": {"identifiers": []},
    "identifiers an object": {"identifiers": {}},
    "identifiers null": {"identifiers": None},
    "identifier a string": {"identifiers": ["a.test"]},
    "identifier without value": {"identifiers": [{"type": "dns"}]},
    "identifier value a number": {"identifiers": [{"type": "dns", "value": 1}]},
    "identifier type an array": {"identifiers": [{"type": [], "value": "a.test"}]},
    **{f"name {name[:30]!r}": {"identifiers": [{"type": "dns", "value": name}]} for name in (
        "", ".", "..", "a..test", ".a.test", "*", "*.", "*.*.test", "a.*.test", "**.a.test",
        "-a.test", "a-.test", "a_b.test", "a b.test", "a.test/", "a.test:80", "http://a.test",
        "a\u0000b.test", "a.test\u0000.evil.test", "a\nb.test", "ä.test", "\u202ea.test",
        "xn--a.test", "xn--" + "9" * 59 + ".test", "a" * 64 + ".test",
        ".".join(["a" * 60] * 5), "a" * 5000, "127.0.0.1", "[::1]", "1.2.3", "0x7f.1", "%00.test",
        "' OR 1=1 --.test", "../../etc/passwd", "a.test;DROP TABLE orders", "𝒂.test")},
    "IP not an address": {"identifiers": [{"type": "ip", "value": "256.0.0.1"}]},
    "IP with zone": {"identifiers": [{"type": "ip", "value": "fe80::1%lo"}]},
    "IP with prefix": {"identifiers": [{"type": "ip", "value": "10.0.0.0/8"}]},
    "IP with leading zeros": {"identifiers": [{"type": "ip", "value": "127.000.000.001"}]},
    "too many names": {"identifiers": [{"type": "dns", "value": f"n{n}.test"}
                                       for n in range(1000)]},
    "notBefore not a time": {"identifiers": [{"type": "dns", "value": "a.test"}],
                             "notBefore": "yesterday"},
    "notAfter a number": {"identifiers": [{"type": "dns", "value": "a.test"}], "notAfter": 1},
    "notAfter past year 9999": {"identifiers": [{"type": "dns", "value": "a.test"}],
                                "notAfter": "10000-01-01T00:00:00Z"},
    "notAfter month 13": {"identifiers": [{"type": "dns", "value": "a.test"}],
                          "notAfter": "2030-13-01T00:00:00Z"},
    "array": [], "string": "x", "null": "null", "number": 7,
}


@pytest.mark.parametrize("payload", ORDERS.values(), ids=ORDERS.keys())
def test_hostile_order(client, payload):
    response = client.post(client.directory["newOrder"], payload)
    assert_refused(response)


PAYLOADS = {
    "not JSON": b"hello", "deep": b"[" * 60_000, "not UTF-8": b'{"identifiers":"\xff"}',
    "duplicate": b'{"identifiers":[],"identifiers":[]}', "NUL": b"\x00", "white space": b" ",
    "trailing": b"{}x", "deep object": b'{"identifiers":' * 10_000,
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
@pytest.mark.parametrize("resource", ["newAccount", "newOrder", "revokeCert", "keyChange"])
def test_hostile_payload(client, new_client, resource, payload):
    sender = new_client() if resource == "newAccount" else client
    assert_refused(sender.post(sender.directory[resource], payload))


ACCOUNTS = {
    "contact a string": {"contact": "mailto:a@b.test"},
    "contact of numbers": {"contact": [1, 2]},
    "contact deep": {"contact": [[[[]]]]},
    "contact with NUL": {"contact": ["mailto:a\u0000@b.test"]},
    "contact with line feed": {"contact": ["mailto:a@b.test\r\nX: y"]},
    "contact too long": {"contact": ["mailto:" + "a" * 60_000 + "@b.test"]},
    "contacts too many": {"contact": [f"mailto:a{n}@b.test" for n in range(2000)]},
    "agreed a string": {"termsOfServiceAgreed": "yes"},
    "only existing a string": {"onlyReturnExisting": "yes"},
}


@pytest.mark.parametrize("payload", ACCOUNTS.values(), ids=ACCOUNTS.keys())
def test_hostile_account(new_client, payload):
    client = new_client()
    assert_refused(client.post(client.directory["newAccount"],
                               {"termsOfServiceAgreed": True, **payload}))


# ---- Protected headers --------------------------------------------------------------------------
PROTECTED = {
    "alg none": {"alg": "none"}, "alg HS256": {"alg": "HS256"}, "alg a number": {"alg": 1},
    "alg long": {"alg": "A" * 10_000}, "alg of another key": {"alg": "RS256"},
    "kid a number": {"kid": 1}, "kid of nobody": {"kid": "https://localhost/acme/account/x"},
    "kid long": {"kid": "A" * 50_000}, "kid with traversal": {"kid": "../../../etc/passwd"},
    "url a list": {"url": ["x"]}, "url long": {"url": "https://" + "a" * 50_000},
    "nonce a number": {"nonce": 1}, "nonce empty": {"nonce": ""}, "nonce long": {"nonce": "A" * 9999},
    "nonce not base64url": {"nonce": "***"}, "crit": {"crit": ["exp"], "exp": 1},
    "b64 false": {"b64": False, "crit": ["b64"]},
}


@pytest.mark.parametrize("change", PROTECTED.values(), ids=PROTECTED.keys())
def test_hostile_protected_header(client, change):
    assert_refused(client.post(client.directory["newOrder"], {"identifiers": []}, **change))


ES256 = {"kty": "EC", "crv": "P-256"}
JWKS = {
    "empty": {}, "array": [], "string": "x", "kty unknown": {"kty": "x"},
    "oct": {"kty": "oct", "k": b64(b"secret")},
    "zero point": {**ES256, "x": b64(bytes(32)), "y": b64(bytes(32))},
    "off the curve": {**ES256, "x": b64(b"\x01" * 32), "y": b64(b"\x02" * 32)},
    "short coordinate": {**ES256, "x": b64(b"\x01"), "y": b64(b"\x02" * 32)},
    "long coordinate": {**ES256, "x": b64(b"\x01" * 6000), "y": b64(b"\x02" * 6000)},
    "coordinate a number": {**ES256, "x": 1, "y": 2},
    "P-521": {"kty": "EC", "crv": "P-521", "x": b64(b"\x01" * 66), "y": b64(b"\x02" * 66)},
    "RSA of 8 bits": {"kty": "RSA", "n": b64(b"\xff"), "e": "AQAB"},
    "RSA of 1024 bits": {"kty": "RSA", "n": b64(b"\xff" * 128), "e": "AQAB"},
    "RSA of 65536 bits": {"kty": "RSA", "n": b64(b"\xff" * 8192), "e": "AQAB"},
    "RSA with exponent 1": {"kty": "RSA", "n": b64(b"\xff" * 256), "e": "AQ"},
    "RSA with a huge exponent": {"kty": "RSA", "n": b64(b"\xff" * 256), "e": b64(b"\xff" * 256)},
    "RSA even": {"kty": "RSA", "n": b64(b"\xfe" * 256), "e": "AQAB"},
    "Ed25519 short": {"kty": "OKP", "crv": "Ed25519", "x": b64(b"\x01")},
    "X25519": {"kty": "OKP", "crv": "X25519", "x": b64(b"\x01" * 32)},
}


@pytest.mark.parametrize("jwk", JWKS.values(), ids=JWKS.keys())
@pytest.mark.parametrize("alg", ["ES256", "RS256", "EdDSA"])
def test_hostile_account_key(new_client, jwk, alg):
    client = new_client()
    assert_refused(client.post(client.directory["newAccount"], {"termsOfServiceAgreed": True},
                               jwk=jwk, alg=alg))


def test_private_key_in_the_jwk_is_not_echoed(new_client):
    client = new_client()
    secret = b64(b"s" * 32)
    response = client.post(client.directory["newAccount"], {"termsOfServiceAgreed": True},
                           jwk={**client.key.jwk, "d": secret})
    assert secret.encode() not in response.body


SIGNATURES = {"empty": b"", "one octet": b"x", "zeros": bytes(64), "ones": b"\xff" * 64,
              "65 octets": bytes(65), "DER": b"\x30\x06\x02\x01\x01\x02\x01\x01",
              "long": b"\x01" * 50_000}


@pytest.mark.parametrize("signature", SIGNATURES.values(), ids=SIGNATURES.keys())
def test_hostile_signature(client, signature):
    url = client.directory["newOrder"]
    jws = client.sign(client.key, client.protected(url), {"identifiers": []})
    assert_refused(client.post_jws(url, {**jws, "signature": b64(signature)}))


# ---- DER: CSRs, certificates, OCSP requests -----------------------------------------------------
NAME = "hostile-der.test"


@pytest.fixture(scope="module")
def ready_order(agentca, challenges):
    """An order that stays ready, as RFC 8555 §7.4 has it for a bad CSR."""
    client = Client(agentca.directory_url, str(agentca.root_file), solver=Solver(challenges))
    client.register()
    created = client.new_order([NAME])
    client.authorize(created.json)
    yield client, created
    key = ec.generate_private_key(ec.SECP256R1())
    assert client.finalize(created.json, make_csr([NAME], key)).status == 200
    assert client.wait(created.location, lambda o: o["status"] != "processing")["status"] == "valid"
    client.close()


GOOD = make_csr([NAME])
CSRS = {
    "empty": b"", "one octet": b"\x30", "not DER": b"hello", "PEM": b"-----BEGIN CERTIFICATE REQUEST",
    "truncated": GOOD[:-1], "half": GOOD[:len(GOOD) // 2], "trailing octet": GOOD + b"\x00",
    "twice": GOOD + GOOD, "indefinite length": b"\x30\x80" + GOOD[4:] + b"\x00\x00",
    "length of 2^32": b"\x30\x84\xff\xff\xff\xff", "length of length 127": b"\x30\xff" + b"\xff" * 127,
    "deep": b"\x30\x80" * 20_000, "bit flipped": GOOD[:100] + bytes([GOOD[100] ^ 1]) + GOOD[101:],
    "signature flipped": GOOD[:-1] + bytes([GOOD[-1] ^ 1]),
    "another name": make_csr(["other.test"]), "no name": make_csr([]),
    "one name too many": make_csr([NAME, "other.test"]),
    "name only in the subject": make_csr([], subject="other.test"),
    "wildcard": make_csr([f"*.{NAME}"]),
    "RSA of 1024 bits": make_csr([NAME], rsa.generate_private_key(65537, 1024)),
    "RSA with exponent 3": make_csr([NAME], rsa.generate_private_key(3, 2048)),
    "SHA-1": make_csr([NAME], digest=hashes.SHA1()),
    "P-192": make_csr([NAME], ec.generate_private_key(ec.SECP192R1())),
    "secp256k1": make_csr([NAME], ec.generate_private_key(ec.SECP256K1())),
    "Ed25519, signature flipped": (lambda der: der[:-1] + bytes([der[-1] ^ 1]))(
        make_csr([NAME], ed25519.Ed25519PrivateKey.generate())),
    "email in SAN": make_csr([], extensions=[(san(x509.DNSName(NAME), x509.RFC822Name("a@b.test")),
                                              False)]),
    "URI in SAN": make_csr([], extensions=[
        (san(x509.DNSName(NAME), x509.UniformResourceIdentifier("spiffe://evil/x")), False)]),
    "otherName in SAN": make_csr([], extensions=[
        (san(x509.DNSName(NAME), x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x05\x00")),
         False)]),
    "IP in SAN": make_csr([], extensions=[
        (san(x509.DNSName(NAME), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))),
         False)]),
    "NUL in SAN": make_csr([], extensions=[
        (san(x509.DNSName(NAME), x509.DNSName(f"{NAME}\0.evil.test")), False)]),
    "large": make_csr([f"{n}.{'a' * 50}.test" for n in range(900)]),
    "random": bytes((n * 197 + 31) % 256 for n in range(2000)),
}


@pytest.mark.parametrize("der", CSRS.values(), ids=CSRS.keys())
def test_hostile_csr(ready_order, der):
    client, created = ready_order
    response = assert_refused(client.finalize(created.json, der))
    assert response.problem in ("badCSR", "malformed", "badPublicKey"), response.body
    assert client.fetch(created.location).json["status"] == "ready"


FINALIZE = {"empty": {}, "csr a number": {"csr": 1}, "csr null": {"csr": None},
            "csr padded": {"csr": b64(GOOD) + "=="}, "csr with line feeds": {"csr": "AAAA\nAAAA"},
            "csr not base64url": {"csr": "****"}, "array": []}


@pytest.mark.parametrize("payload", FINALIZE.values(), ids=FINALIZE.keys())
def test_hostile_finalize(ready_order, payload):
    client, created = ready_order
    assert_refused(client.post(created.json["finalize"], payload))
    assert client.fetch(created.location).json["status"] == "ready"


def foreign_certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.utcnow()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "foreign")])
    return (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(
        key.public_key()).serial_number(0x1234).not_valid_before(now).not_valid_after(
            now + datetime.timedelta(days=1)).sign(key, hashes.SHA256())).public_bytes(
                serialization.Encoding.DER)


FOREIGN = foreign_certificate()
REVOKED = {"empty": b"", "not DER": b"hello", "CSR": GOOD, "foreign": FOREIGN,
           "truncated": FOREIGN[:-3], "trailing": FOREIGN + b"\0", "deep": b"\x30\x80" * 20_000}


@pytest.mark.parametrize("der", REVOKED.values(), ids=REVOKED.keys())
def test_hostile_revocation(client, der):
    assert_refused(client.post(client.directory["revokeCert"], {"certificate": b64(der)}))


REASONS = {"7 is unused": 7, "negative": -1, "large": 10 ** 30, "a string": "1", "a float": 1.5,
           "null": None, "an array": [1], "11": 11}


@pytest.mark.parametrize("reason", REASONS.values(), ids=REASONS.keys())
def test_hostile_revocation_reason(client, agentca, reason):
    issued = client.obtain(["hostile-reason.test"])
    der = issued.certificate.public_bytes(serialization.Encoding.DER)
    assert_refused(client.post(client.directory["revokeCert"],
                               {"certificate": b64(der), "reason": reason}))
    assert client.revoke(issued.certificate, 1).status == 200


OCSP = {"empty": b"", "one octet": b"\x30", "not DER": b"hello", "CSR": GOOD,
        "deep": b"\x30\x80" * 10_000, "length of 2^32": b"\x30\x84\xff\xff\xff\xff",
        "random": bytes((n * 89 + 7) % 256 for n in range(1000))}


@pytest.mark.parametrize("request_der", OCSP.values(), ids=OCSP.keys())
def test_hostile_ocsp_request(agentca, request_der):
    """RFC 6960 §4.2.1: malformedRequest, in a 200 or a 4xx."""
    url = f"{agentca.http_url}/ocsp"
    answers = [fetch(url, request_der, {"Content-Type": "application/ocsp-request"})]
    if request_der and len(request_der) < 4000:
        encoded = urllib.parse.quote(base64.b64encode(request_der), safe="")
        answers.append(fetch(f"{url}/{encoded}"))
    for status, headers, body in answers:
        assert status == 200 or 400 <= status < 500
        assert not INTERNAL.search(body)
        if status == 200:
            parsed = ocsp.load_der_ocsp_response(body)
            assert parsed.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


@pytest.mark.parametrize("path", [
    "", "/", "//", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/crl/../../agentca.conf",
    "/crl/%2e%2e%2fagentca.conf", "/issuer/../ca/root.pem", "/issuer/x.der", "/crl/x.crl",
    "/crl/.crl", "/ocsp/", "/ocsp/%", "/ocsp/%zz", "/ocsp/" + "A" * 4000, "/ocsp/%00", "/\xff",
    "/root.pem/", "/ROOT.PEM", "/healthz/x", "/?" + "a" * 4000])
def test_hostile_publication_path(agentca, path):
    status = raw(agentca.http_port, f"GET {path or '*'} HTTP/1.1\r\nHost: x\r\n"
                 "Connection: close\r\n\r\n".encode("latin-1"))[0]
    assert 400 <= status < 500 or (status == 200 and path.startswith("/ocsp/"))


# ---- HTTP itself --------------------------------------------------------------------------------
def raw(port, octets, tls=None, timeout=15):
    """(status, everything received) of octets on a new connection; status 0: closed in silence."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as plain:
        stream = tls.wrap_socket(plain, server_hostname="localhost") if tls else plain
        received = b""
        try:
            stream.sendall(octets)
        except OSError:
            pass  # refused before it was all sent: the answer may be there to read
        try:
            while chunk := stream.recv(65536):
                received += chunk
        except (ConnectionResetError, ssl.SSLError):
            pass
    match = re.match(rb"HTTP/1\.[01] (\d{3})", received)
    return (int(match[1]) if match else 0), received


HOST = b"Host: localhost\r\n"
CLOSE = b"Connection: close\r\n\r\n"
LENGTH_AND_CHUNKS = b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"
REQUESTS = {
    "garbage": b"\x00\x01\x02\x03" * 100 + b"\r\n\r\n",
    "no version": b"GET /directory\r\n\r\n",
    "HTTP/9.9": b"GET /directory HTTP/9.9\r\n" + HOST + CLOSE,
    "no method": b" /directory HTTP/1.1\r\n" + HOST + CLOSE,
    "bad header": b"GET /directory HTTP/1.1\r\n" + HOST + b"no colon\r\n" + CLOSE,
    "space before colon": b"GET /directory HTTP/1.1\r\n" + HOST + b"A : b\r\n" + CLOSE,
    "NUL in header": b"GET /directory HTTP/1.1\r\n" + HOST + b"A: \x00\r\n" + CLOSE,
    "folded header": b"GET /directory HTTP/1.1\r\n" + HOST + b"A: b\r\n c\r\nB c\r\n" + CLOSE,
    "long request line": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST + CLOSE,
    "long header": b"GET /directory HTTP/1.1\r\n" + HOST + b"A: " + b"a" * 100_000 + b"\r\n" + CLOSE,
    "many headers": b"GET /directory HTTP/1.1\r\n" + HOST + b"A: b\r\n" * 20_000 + CLOSE,
    "two lengths": b"POST /acme/new-order HTTP/1.1\r\n" + HOST +
                   b"Content-Length: 4\r\nContent-Length: 5\r\n" + CLOSE + b"abcde",
    "length and chunks": b"POST /acme/new-order HTTP/1.1\r\n" + HOST + LENGTH_AND_CHUNKS + CLOSE +
                         b"0\r\n\r\n",
    "negative length": b"POST /acme/new-order HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n" + CLOSE,
    "huge length": b"POST /acme/new-order HTTP/1.1\r\n" + HOST +
                   b"Content-Length: 99999999999999999999\r\n" + CLOSE,
    "length over the limit": b"POST /acme/new-order HTTP/1.1\r\n" + HOST +
                             b"Content-Length: 1000000000\r\n" + CLOSE,
    "bad chunk": b"POST /acme/new-order HTTP/1.1\r\n" + HOST +
                 b"Transfer-Encoding: chunked\r\n" + CLOSE + b"zz\r\n",
    "huge chunk": b"POST /acme/new-order HTTP/1.1\r\n" + HOST +
                  b"Transfer-Encoding: chunked\r\n" + CLOSE + b"ffffffffffffffff\r\n",
    "chunks over the limit": b"POST /acme/new-order HTTP/1.1\r\n" + HOST +
                             b"Transfer-Encoding: chunked\r\n" + CLOSE +
                             b"10000\r\n" + b"a" * 65536 + b"\r\n" +
                             (b"10000\r\n" + b"a" * 65536 + b"\r\n") * 8 + b"0\r\n\r\n",
    "two content types": b"POST /acme/new-order HTTP/1.1\r\n" + HOST +
                         b"Content-Type: application/jose+json\r\nContent-Type: text/plain\r\n"
                         b"Content-Length: 2\r\n" + CLOSE + b"{}",
    "unknown path": b"GET /nowhere HTTP/1.1\r\n" + HOST + CLOSE,
    "traversal": b"GET /../../etc/passwd HTTP/1.1\r\n" + HOST + CLOSE,
    "unknown method": b"BREW /directory HTTP/1.1\r\n" + HOST + CLOSE,
    "CONNECT": b"CONNECT localhost:22 HTTP/1.1\r\n" + HOST + CLOSE,
    "TRACE": b"TRACE /directory HTTP/1.1\r\n" + HOST + CLOSE,
    "absolute form": b"GET http://evil.test/ HTTP/1.1\r\n" + HOST + CLOSE,
    "expect": b"POST /acme/new-order HTTP/1.1\r\n" + HOST +
              b"Expect: 200-maybe\r\nContent-Length: 2\r\n" + CLOSE + b"{}",
    "response splitting": b"GET /acme/order/%0d%0aX-Evil:%20yes HTTP/1.1\r\n" + HOST + CLOSE,
}


@pytest.mark.parametrize("octets", REQUESTS.values(), ids=REQUESTS.keys())
def test_hostile_http_on_the_acme_port(agentca, octets):
    tls = ssl.create_default_context(cafile=str(agentca.root_file))
    status, received = raw(agentca.acme_port, octets, tls)
    assert 400 <= status < 500, received[:500]
    assert b"\r\nX-Evil" not in received
    assert not INTERNAL.search(received)
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    assert json.loads(body)["type"].startswith("urn:ietf:params:acme:error:")


@pytest.mark.parametrize("octets", REQUESTS.values(), ids=REQUESTS.keys())
def test_hostile_http_on_the_publication_port(agentca, octets):
    status, received = raw(agentca.http_port, octets)
    assert 400 <= status < 500, received[:500]
    assert not INTERNAL.search(received)


TLS = {"plain HTTP": b"GET /directory HTTP/1.1\r\nHost: x\r\n\r\n", "nothing": b"",
       "garbage": b"\x00" * 1000, "half a hello": b"\x16\x03\x01\x02\x00\x01\x00",
       "huge record": b"\x16\x03\x01\xff\xff" + b"\xff" * 70_000,
       "alert": b"\x15\x03\x03\x00\x02\x02\x28", "SSLv2": b"\x80\x2e\x01\x00\x02" + bytes(44)}


@pytest.mark.parametrize("octets", TLS.values(), ids=TLS.keys())
def test_hostile_tls(agentca, octets):
    with socket.create_connection(("127.0.0.1", agentca.acme_port), timeout=15) as stream:
        received = b""
        try:
            stream.sendall(octets)
            stream.shutdown(socket.SHUT_WR)
            while chunk := stream.recv(65536):
                received += chunk
        except OSError:
            pass  # refused before we were done
    assert b"HTTP/" not in received


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_refused(agentca, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with socket.create_connection(("127.0.0.1", agentca.acme_port), timeout=15) as plain:
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            context.wrap_socket(plain, server_hostname="localhost")


def test_smuggled_second_request_is_not_answered(agentca):
    """A request with both framings is refused and the connection closed: what follows is not read
    as a request."""
    tls = ssl.create_default_context(cafile=str(agentca.root_file))
    inner = b"GET /directory HTTP/1.1\r\n" + HOST + CLOSE
    octets = (b"POST /acme/new-order HTTP/1.1\r\n" + HOST + LENGTH_AND_CHUNKS + b"\r\n0\r\n\r\n" +
              inner)
    _, received = raw(agentca.acme_port, octets, tls)
    assert received.count(b"HTTP/1.1 ") == 1
    assert b"newNonce" not in received


def test_pipelined_requests_are_answered_in_order(agentca):
    tls = ssl.create_default_context(cafile=str(agentca.root_file))
    one = b"GET /directory HTTP/1.1\r\n" + HOST
    octets = (one + b"\r\n") * 3 + b"GET /nowhere HTTP/1.1\r\n" + HOST + CLOSE
    _, received = raw(agentca.acme_port, octets, tls)
    assert re.findall(rb"HTTP/1\.1 (\d{3})", received) == [b"200"] * 3 + [b"404"]


def test_nothing_accepted_is_lost_under_a_storm_of_garbage(client, agentca):
    """Honest orders all succeed while other connections send every hostile request in a loop."""
    stop = threading.Event()
    tls = ssl.create_default_context(cafile=str(agentca.root_file))

    def storm(offset):
        requests = list(REQUESTS.values())
        while not stop.is_set():
            offset += 1
            try:
                raw(agentca.acme_port, requests[offset % len(requests)], tls)
            except OSError:
                pass

    threads = [threading.Thread(target=storm, args=(n * 7,)) for n in range(4)]
    for thread in threads:
        thread.start()
    try:
        for number in range(20):
            issued = client.obtain([f"storm{number}.test"])
            assert client.fetch(issued.order_url).json["status"] == "valid"
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_key_is_not_needed_to_be_refused(new_client):
    """A wrong content type is refused before anything is parsed (RFC 8555 §6.2)."""
    client = new_client()
    response = client.post_raw(client.directory["newAccount"], b"\xff" * 1000, "text/html")
    assert_refused(response, statuses=(415,))
