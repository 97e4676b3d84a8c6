"""What the checklist tests share: exact readings of problem documents and headers."""

import base64
import re

URN = "urn:ietf:params:acme:error:"
# RFC 8555 §6.7 and the registry it opened.
REGISTERED = {
    "accountDoesNotExist", "alreadyRevoked", "badCSR", "badNonce", "badPublicKey",
    "badRevocationReason", "badSignatureAlgorithm", "caa", "compound", "connection", "dns",
    "externalAccountRequired", "incorrectResponse", "invalidContact", "malformed", "orderNotReady",
    "rateLimited", "rejectedIdentifier", "serverInternal", "tls", "unauthorized",
    "unsupportedContact", "unsupportedIdentifier", "userActionRequired",
}
BASE64URL = re.compile(r"[A-Za-z0-9_-]+")


def assert_problem(response, status, kind):
    """An RFC 7807 document of this HTTP status and ACME error type, with a usable nonce."""
    assert (response.status, response.problem) == (status, kind), \
        f"{response.status} {response.headers.items()} {response.body!r}"
    assert response.json["detail"]
    assert kind in REGISTERED
    for name in ("what()", "sqlite", "SQLITE", "openssl", "OpenSSL", "/src/", ".cc:"):
        assert name.encode() not in response.body
    if response.nonce is not None:
        assert BASE64URL.fullmatch(response.nonce)
    return response


def flipped(jws):
    """The same JWS with one bit of its signature changed."""
    raw = bytearray(base64.urlsafe_b64decode(jws["signature"] + "=="))
    raw[len(raw) // 2] ^= 1
    return {**jws, "signature": base64.urlsafe_b64encode(bytes(raw)).rstrip(b"=").decode()}
