#!/usr/bin/env python3
"""Makes eat/: Entity Attestation Tokens, as CWT by the packages cwt and cbor2, as JWT by PyJWT (all of
PyPI), certificates by cryptography. Run it by hand; its output is checked in.

What is wrong with a token is its name. Tokens that cannot be made without breaking a library's rules
are made from good ones by the tests.
"""
import base64
import datetime
import hashlib
import json
import pathlib

import cbor2
import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from cwt import COSE, COSEKey

OUT = pathlib.Path(__file__).resolve().parent / "eat"
OUT.mkdir(exist_ok=True)
for old in OUT.iterdir():
    old.unlink()

CHALLENGE = "https://ca.example/acme/challenge/Zm9v/agent-attest-01"
NONCE = hashlib.sha256(b"agentca eat fixtures").digest()
NOW = int(datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc).timestamp())


def b64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def spki(key):
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def write(name, octets):
    (OUT / name).write_bytes(octets)


ATTESTERS = {
    "es256": (ec.generate_private_key(ec.SECP256R1()), "ES256"),
    "es384": (ec.generate_private_key(ec.SECP384R1()), "ES384"),
    "eddsa": (ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
    "rs256": (rsa.generate_private_key(65537, 2048), "RS256"),
}
STRANGER = (ec.generate_private_key(ec.SECP256R1()), "ES256")
KEY = ec.generate_private_key(ec.SECP256R1())  # of the certificate
OTHER = ec.generate_private_key(ec.SECP256R1())

write("nonce", NONCE)
write("key.spki", spki(KEY))
write("other.spki", spki(OTHER))


def jwk(key):
    algorithm = {ec.EllipticCurvePrivateKey: jwt.algorithms.ECAlgorithm,
                 ed25519.Ed25519PrivateKey: jwt.algorithms.OKPAlgorithm,
                 rsa.RSAPrivateKey: jwt.algorithms.RSAAlgorithm}
    for kind, form in algorithm.items():
        if isinstance(key, kind):
            made = form.to_jwk(key.public_key())
            made = json.loads(made) if isinstance(made, str) else made
            return {k: v for k, v in made.items() if k not in ("key_ops",)}


write("jwks.json", json.dumps(
    {"keys": [dict(jwk(key), kid=kid) for kid, (key, _) in ATTESTERS.items()]}, indent=1).encode())


def cose_key(key, kid="", alg=""):
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                            serialization.NoEncryption()).decode()
    return COSEKey.from_pem(pem, kid=kid, **({"alg": alg} if alg else {}))


def confirmation(key):
    public = cose_key(key).to_dict()
    return {1: {label: public[label] for label in (1, -1, -2, -3) if label in public}}


def claims(**changes):
    """Of a device that is what it should be, by name; None leaves one out."""
    out = {
        "iss": "https://attester.example", "exp": NOW + 300, "iat": NOW,
        "jti": hashlib.sha256(b"id").digest()[:12],
        "eat_nonce": NONCE,
        "ueid": b"\x01" + hashlib.sha256(b"device").digest()[:16],
        "oemid": 76543, "hwmodel": b"\x12\x34\x56", "hwversion": ["2.1", 1],
        "dbgstat": "disabled-since-boot", "oemboot": True, "intuse": "csr",
        "swname": "agent runtime", "swversion": ["7.3"],
        "measurements": [[600, b"digest of the image"], [601, b"digest of the model"]],
        "submods": {"tee": {"dbgstat": "disabled-permanently", "swname": "enclave"}},
        "cnf": KEY,
    }
    out.update(changes)
    return {name: value for name, value in out.items() if value is not None}


KEYS = {"iss": 1, "sub": 2, "aud": 3, "exp": 4, "nbf": 5, "iat": 6, "jti": 7, "cnf": 8,
        "eat_nonce": 10, "ueid": 256, "oemid": 258, "hwmodel": 259, "hwversion": 260,
        "uptime": 261, "oemboot": 262, "dbgstat": 263, "submods": 266, "swname": 270,
        "swversion": 271, "measurements": 273, "intuse": 275}
DEBUG = ["enabled", "disabled", "disabled-since-boot", "disabled-permanently",
         "disabled-fully-and-permanently"]
USE = ["", "generic", "registration", "provisioning", "csr", "pop"]


def cwt_claims(named):
    out = {}
    for name, value in named.items():
        if name == "cnf":
            value = confirmation(value) if not isinstance(value, dict) else value
        elif name == "dbgstat":
            value = DEBUG.index(value)
        elif name == "intuse":
            value = USE.index(value)
        elif name == "submods":
            value = {module: cwt_claims(inner) for module, inner in value.items()}
        out[KEYS.get(name, name)] = value
    return out


def jwt_claims(value):
    if isinstance(value, bytes):
        return b64(value)
    if isinstance(value, dict):
        return {k: jwt_claims(v) for k, v in value.items()}
    if isinstance(value, list):
        return [jwt_claims(v) for v in value]
    if hasattr(value, "public_key"):
        return {"jwk": jwk(value)}
    return value


def cwt(name, payload, kid="es256", signer=None, protected=None, unprotected=None):
    key, alg = signer or ATTESTERS[kid]
    cose = COSE.new(alg_auto_inclusion=protected is None, kid_auto_inclusion=True)
    token = cose.encode_and_sign(
        payload if isinstance(payload, bytes) else cbor2.dumps(cwt_claims(payload)),
        cose_key(key, kid, alg), protected or {}, unprotected or {})
    write(name + ".cwt", token)
    return token


def jose(name, payload, kid="es256", signer=None, headers=None):
    key, alg = signer or ATTESTERS[kid]
    write(name + ".jwt", jwt.encode(jwt_claims(payload), key, alg,
                                    dict({"kid": kid, "typ": "eat+jwt"}, **(headers or {}))).encode())


def both(name, payload, **options):
    cwt(name, payload, **options)
    jose(name, payload, **options)


both("good", claims())
both("fresh", claims(cnf=None))
both("software", claims(oemid=None, hwmodel=None, dbgstat=None, measurements=None, submods=None))
both("disabled_now", claims(dbgstat="disabled"))
both("no_clock", claims(exp=None, iat=None))
both("several_nonces", claims(eat_nonce=[b"\x11" * 32, NONCE]))
both("audience", claims(aud=CHALLENGE))
for each in ("es384", "eddsa", "rs256"):
    both(each, claims(), kid=each)
write("untagged.cwt", (OUT / "good.cwt").read_bytes()[1:])
write("cwt_tag.cwt", b"\xd8\x3d" + (OUT / "good.cwt").read_bytes())
# Canonical, and with every map and array of unknown length (§4.2.1, §3.2.2 of RFC 8949).
write("good_claims.cbor", cbor2.dumps(cwt_claims(claims()), canonical=True))

both("stale_nonce", claims(eat_nonce=b"\x22" * 32))
both("no_nonce", claims(eat_nonce=None))
both("expired", claims(exp=NOW - 3600, iat=NOW - 7200))
both("future", claims(iat=NOW + 3600, exp=NOW + 7200))
both("future_no_exp", claims(iat=NOW + 3600, exp=None))
both("wrong_issuer", claims(iss="https://somebody.example"))
both("no_issuer", claims(iss=None))
both("foreign_audience", claims(aud="https://other-ca.example/acme/challenge/x"))
both("debug", claims(dbgstat="enabled"))
both("debug_submodule", claims(submods={"tee": {"dbgstat": "enabled"}}))
both("other_key", claims(cnf=OTHER))
both("other_model", claims(hwmodel=b"\x99"))
both("stranger", claims(), signer=STRANGER)
both("unknown_kid", claims(), kid="nobody", signer=STRANGER)
both("attester_claim", claims(**{"attester/serial": "1"}))
cwt("named_claim", cbor2.dumps(dict(cwt_claims(claims()), exp=NOW + 300)))
cwt("private_key", claims(cnf={1: cose_key(KEY).to_dict()}))
cwt("no_claims", cbor2.dumps([1, 2]))
cwt("critical", claims(), protected={1: -7, 2: [99], 99: 1})
cwt("unprotected_algorithm", claims(), protected={3: 61}, unprotected={1: -7})
cwt("bad_debug_status", cbor2.dumps(dict(cwt_claims(claims()), **{}) | {263: 9}))
jose("hmac", claims(), signer=("secret" * 8, "HS256"))
jose("none", claims(), signer=(None, "none"))
# An RSA key's and a curve's token under the other algorithm's name.
good = (OUT / "good.cwt").read_bytes()
write("swapped.cwt", good.replace(b"\xa1\x01\x26", b"\xa1\x01\x27", 1))
write("mac0.cwt", b"\xd1" + good[1:])
write("detached.cwt", cbor2.dumps(cbor2.CBORTag(18, [b"\xa1\x01\x26", {}, None, b"\0" * 64])))

# An attester whose key a certificate vouches for.
ca_key = ec.generate_private_key(ec.SECP256R1())
leaf_key = ec.generate_private_key(ec.SECP256R1())
START = datetime.datetime(2026, 1, 1)
END = datetime.datetime(2100, 1, 1)


def certificate(common_name, key, issuer, issuer_key, is_ca):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    return (x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key()).serial_number(0x1234 if not is_ca else 1)
            .not_valid_before(START).not_valid_after(END)
            .add_extension(x509.BasicConstraints(is_ca, None), True)
            .add_extension(x509.KeyUsage(not is_ca, False, False, False, False, is_ca, is_ca, False,
                                         False), True)
            .sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.DER))


write("root.der", certificate("vendor", ca_key, "vendor", ca_key, True))
write("leaf.der", certificate("device 7", leaf_key, "vendor", ca_key, False))
both("chained", claims(), signer=(leaf_key, "ES256"))
both("signed_by_ca", claims(), signer=(ca_key, "ES256"))
