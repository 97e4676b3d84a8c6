"""What a certificate says of its AI agent: the AgentIdentity extension and the SPIFFE ID.

Check the chain, the dates and the revocation list first: this reads and verifies nothing.
Needs `cryptography` 38 or later. `python3 agent_identity.py FILE.pem` prints JSON.
"""

import json
import re
import sys
from datetime import datetime

from cryptography import x509

DEFAULT_ARC = "1.3.6.1.4.1.32473.1"  # agent-arc in agentca.conf
MAX_SIZE = 32 * 1024

DEGREES = ("low", "medium", "high")
LIFESPANS = ("ephemeral", "session", "persistent")
KINDS = ("model", "image", "config", "prompt", "tools")
BASES = ("declared", "signed", "attested")
HASHES = {bytes.fromhex("608648016503040201"): ("sha256", 32),
          bytes.fromhex("608648016503040202"): ("sha384", 48),
          bytes.fromhex("608648016503040203"): ("sha512", 64)}

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")

BOOLEAN, INTEGER, OCTETS, OID, ENUMERATED, UTF8, TIME, SEQUENCE = 1, 2, 4, 6, 10, 12, 24, 0x30


def spiffe_id(certificate):
    """The one SPIFFE ID, or None when the certificate has none. ValueError: it has another URI too."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if not any(uri.startswith("spiffe:") for uri in uris):
        return None
    if len(uris) != 1:
        raise ValueError("a SPIFFE ID and another URI")  # X509-SVID, section 2
    return uris[0]


def agent_identity(certificate, arc=DEFAULT_ARC):
    """A dict as in `agentca cert show --json`, or None without extension. ValueError: not sound."""
    try:
        extension = certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier(arc + ".1"))
    except x509.ExtensionNotFound:
        return None
    except x509.DuplicateExtension as error:
        raise ValueError("an extension is there twice") from error
    if extension.critical:
        raise ValueError("AgentIdentity is critical")
    return parse(extension.value.value)


def elements(data):
    """(tag, content) of each element. DER alone: one octet of tag, the shortest definite length."""
    at = 0
    while at < len(data):
        if len(data) < at + 2 or data[at] & 0x1f == 0x1f:
            raise ValueError("not DER")
        tag, length, at = data[at], data[at + 1], at + 2
        if length >= 0x80:
            count = length - 0x80
            octets = data[at:at + count]
            length, at = int.from_bytes(octets, "big"), at + count
            if count not in (1, 2, 3) or len(octets) < count or octets[0] == 0 or length < 0x80:
                raise ValueError("not DER")
        if len(data) - at < length:
            raise ValueError("truncated")
        yield tag, data[at:at + length]
        at += length


class Reader:
    """The elements of one SEQUENCE, in order."""

    def __init__(self, data):
        self.rest = list(elements(data))

    def has(self, tag):
        return bool(self.rest) and self.rest[0][0] == tag

    def take(self, tag):
        if not self.has(tag):
            raise ValueError(f"tag {tag:#x} is not where it belongs")
        return self.rest.pop(0)[1]

    def text(self, tag=UTF8):
        text = self.take(tag).decode("utf-8")  # UnicodeDecodeError is a ValueError
        if not text:
            raise ValueError("an empty text")
        return text

    def number(self, tag=INTEGER, most=2**32 - 1):
        octets = self.take(tag)
        value = int.from_bytes(octets, "big", signed=True)
        padded = len(octets) > 1 and octets[0] == 0 and octets[1] < 0x80
        if not octets or padded or not 0 <= value <= most:
            raise ValueError("a number out of range")
        return value

    def word(self, words):
        return words[self.number(ENUMERATED, len(words) - 1)]

    def end(self, result):
        if self.rest:
            raise ValueError("more than belongs there")
        return result


def parse(value):
    """The dict from the content of extnValue."""
    if len(value) > MAX_SIZE:
        raise ValueError("too long")
    outer = Reader(value)
    reader = Reader(outer.take(SEQUENCE))
    outer.end(None)
    if reader.number() != 1:
        raise ValueError("another version")
    out = {"agent": reader.text(), "tenant": reader.text()}
    if not LABEL.fullmatch(out["agent"]) or not LABEL.fullmatch(out["tenant"]):
        raise ValueError("a name that is no label")
    if reader.has(0x80):
        out["sponsor"] = reader.text(0x80)
    if reader.has(0x81):
        out["deployment"] = reader.text(0x81)
    out["class"] = read_class(Reader(reader.take(0xa2)))
    if reader.has(0xa3):
        scopes = Reader(reader.take(0xa3))
        out["scopes"] = [scopes.text() for _ in range(len(scopes.rest))]
    if reader.has(0xa4):
        parts = Reader(reader.take(0xa4))
        out["components"] = [read_component(Reader(parts.take(SEQUENCE)))
                             for _ in range(len(parts.rest))]
    if [] in (out.get("scopes"), out.get("components")):
        raise ValueError("an empty list")
    if reader.has(0x85):
        out["parent"] = reader.text(0x85)
    if reader.has(0x86):
        out["max_depth"] = reader.number(0x86)
    out["attestation"] = read_attestation(Reader(reader.take(0xa7)))
    return reader.end(out)


def read_class(reader):
    return reader.end({"access": reader.word(DEGREES), "decision": reader.word(DEGREES),
                       "risk": reader.word(DEGREES), "lifespan": reader.word(LIFESPANS)})


def read_component(reader):
    kind = reader.word(KINDS)
    name, size = HASHES.get(reader.take(OID), ("", 0))
    digest = reader.take(OCTETS)
    if not name or len(digest) != size:
        raise ValueError("a digest of an unknown kind")
    return reader.end({"kind": kind, "hash_algorithm": name, "digest": digest.hex(),
                       "basis": reader.word(BASES)})


def read_attestation(reader):
    kind, level = reader.text(), reader.number()
    time = reader.take(TIME).decode("ascii")
    if len(time) != 15 or not 1 <= level <= 4:
        raise ValueError("no level or no time")
    verified = datetime.strptime(time, "%Y%m%d%H%M%SZ")
    bound, evidence = reader.take(BOOLEAN), reader.take(OCTETS)
    if bound not in (b"\x00", b"\xff") or len(evidence) != 32:
        raise ValueError("no boolean or no SHA-256")
    return reader.end({"format": kind, "level": level,
                       "verified_at": verified.strftime("%Y-%m-%dT%H:%M:%SZ"),
                       "key_bound": bound == b"\xff", "evidence_hash": evidence.hex()})


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        certificate = x509.load_pem_x509_certificate(file.read())
    print(json.dumps({"spiffe_id": spiffe_id(certificate),
                      "agent_identity": agent_identity(certificate)}, ensure_ascii=False))
