"""Checklist points 1 to 17: transport and JWS (RFC 8555 §6.1 to §6.4)."""

import hashlib
import hmac
import json

import pytest
from acme_client import JOSE, Key, b64, compact
from checklist import assert_problem
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec


def signed(client, url, payload=None, **changes):
    return client.sign(client.key, client.protected(url, **changes), payload)


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/jose", ""])
def test_01_wrong_content_type_is_415(client, content_type):
    """§6.2"""
    url = client.directory["newOrder"]
    response = client.post_jws(url, signed(client, url, {}), content_type)
    assert response.status == 415
    assert_problem(response, 415, "malformed")


def test_02_get_on_a_protected_resource_is_405_malformed(client):
    """§6.3"""
    order = client.new_order(["point02.example.test"])
    authorization = order.json["authorizations"][0]
    for url in (order.location, authorization, client.kid, order.json["finalize"],
                client.directory["newAccount"], client.directory["newOrder"],
                client.directory["revokeCert"], client.directory["keyChange"]):
        response = client.get(url)
        assert_problem(response, 405, "malformed")
        assert "POST" in response.headers["Allow"]


def test_03_only_the_flattened_serialization_is_taken(client):
    """§6.2"""
    url = client.directory["newOrder"]
    jws = signed(client, url, {"identifiers": [{"type": "dns", "value": "a.example.test"}]})
    compact_form = f'{jws["protected"]}.{jws["payload"]}.{jws["signature"]}'.encode()
    assert_problem(client.post_raw(url, compact_form), 400, "malformed")
    jws = signed(client, url, {})
    general = {"payload": jws["payload"],
               "signatures": [{"protected": jws["protected"], "signature": jws["signature"]}]}
    assert_problem(client.post_jws(url, general), 400, "malformed")


def test_04_multiple_signatures_are_refused(client):
    """§6.2: also when a valid flattened signature stands beside them."""
    url = client.directory["newOrder"]
    jws = signed(client, url, {})
    both = {**jws, "signatures": [{"protected": jws["protected"], "signature": jws["signature"]}]}
    assert_problem(client.post_jws(url, both), 400, "malformed")


def test_05_an_unprotected_header_is_refused(client):
    """§6.2"""
    url = client.directory["newOrder"]
    assert_problem(client.post_jws(url, {**signed(client, url, {}), "header": {"kid": client.kid}}),
                   400, "malformed")


@pytest.mark.parametrize("changes", [{"b64": False, "crit": ["b64"]}, {"b64": False},
                                     {"crit": ["exp"], "exp": 1}, {"crit": []}])
def test_06_unencoded_and_critical_headers_are_refused(client, changes):
    """§6.2"""
    url = client.directory["newOrder"]
    assert_problem(client.post(url, {}, **changes), 400, "malformed")


def test_06_detached_payload_is_refused(client):
    """§6.2"""
    url = client.directory["newOrder"]
    jws = signed(client, url, {})
    del jws["payload"]
    assert_problem(client.post_jws(url, jws), 400, "malformed")


@pytest.mark.parametrize("alg", ["none", "HS256", "HS384", "HS512"])
def test_07_none_and_mac_algorithms_are_refused(client, alg):
    """§6.2"""
    url = client.directory["newOrder"]
    header = client.protected(url, alg=alg)
    head, body = b64(compact(header)), b64(b"{}")
    mac = hmac.digest(compact(client.key.jwk), f"{head}.{body}".encode(), hashlib.sha256)
    signature = "" if alg == "none" else b64(mac)
    response = client.post_jws(url, {"protected": head, "payload": body, "signature": signature})
    assert_problem(response, 400, "badSignatureAlgorithm")


@pytest.mark.parametrize("alg", ["ES512", "PS256", "RS1", "es256", "Ed448", "ES256K"])
def test_08_unknown_algorithm_names_those_supported(client, alg):
    """§6.2"""
    response = assert_problem(client.post(client.directory["newOrder"], {}, alg=alg),
                              400, "badSignatureAlgorithm")
    assert {"ES256", "EdDSA"} <= set(response.json["algorithms"])
    assert "none" not in response.json["algorithms"]


@pytest.mark.parametrize("alg", ["ES256", "ES384", "EdDSA", "RS256"])
def test_09_account_keys_of_every_supported_algorithm_work(new_client, alg):
    """§6.2: ES256 MUST, EdDSA SHOULD"""
    client = new_client(key=Key.generate(alg))
    assert client.register().status == 201
    assert client.new_order(["point09.example.test"]).status == 201


def weak_keys():
    yield "off curve", {"crv": "P-256", "kty": "EC", "x": b64(b"\1" * 32), "y": b64(b"\2" * 32)}
    yield "infinity", {"crv": "P-256", "kty": "EC", "x": b64(bytes(32)), "y": b64(bytes(32))}
    yield "P-521", {"crv": "P-521", "kty": "EC", "x": b64(b"\1" * 66), "y": b64(b"\2" * 66)}
    yield "RSA exponent 1", {**Key.generate("RS256").jwk, "e": "AQ"}
    yield "RSA exponent even", {**Key.generate("RS256").jwk, "e": "AQAA"}
    yield "RSA even modulus", {"kty": "RSA", "e": "AQAB", "n": b64(b"\xc0" + b"\2" * 255)}
    yield "Ed25519 short", {"kty": "OKP", "crv": "Ed25519", "x": b64(b"\1" * 31)}


@pytest.mark.parametrize("name,jwk", weak_keys(), ids=lambda v: v if isinstance(v, str) else "")
def test_10_weak_or_off_curve_key_is_bad_public_key(new_client, name, jwk):
    """§6.2"""
    client = new_client()
    alg = {"EC": "ES256", "RSA": "RS256", "OKP": "EdDSA"}[jwk["kty"]]
    header = client.protected(client.directory["newAccount"], jwk=jwk, alg=alg)
    response = client.post_jws(client.directory["newAccount"],
                               client.sign(client.key, header, {"termsOfServiceAgreed": True}))
    assert_problem(response, 400, "badPublicKey")


def test_10_rsa_1024_is_bad_public_key(new_client):
    """§6.2"""
    client = new_client(key=Key.generate("RS256", bits=1024))
    assert_problem(client.post(client.directory["newAccount"], {"termsOfServiceAgreed": True}),
                   400, "badPublicKey")


def test_11_both_and_neither_of_jwk_and_kid_are_refused(client):
    """§6.2"""
    url = client.directory["newOrder"]
    assert_problem(client.post(url, {}, jwk=client.key.jwk), 400, "malformed")
    assert_problem(client.post(url, {}, kid=None), 400, "malformed")


def test_12_jwk_only_at_new_account_and_revocation_kid_elsewhere(client):
    """§6.2"""
    order = client.new_order(["point12.example.test"])
    for url in (client.directory["newOrder"], order.location, client.kid,
                order.json["authorizations"][0], client.directory["keyChange"]):
        assert_problem(client.post(url, None, kid=None, jwk=client.key.jwk), 400, "malformed")
    assert_problem(client.post(client.directory["newAccount"], {"termsOfServiceAgreed": True}),
                   400, "malformed")


@pytest.mark.parametrize("member", ["protected", "payload", "signature"])
def test_13_padded_base64url_is_refused(client, member):
    """§6.1"""
    url = client.directory["newOrder"]
    jws = signed(client, url, {"a": "b"})
    jws[member] += "=" * (-len(jws[member]) % 4 or 4)
    assert_problem(client.post_jws(url, jws), 400, "malformed")


def test_13_standard_alphabet_is_refused(client):
    """§6.1: '+' and '/' are not in the URL alphabet."""
    url = client.directory["newOrder"]
    jws = signed(client, url, {})
    assert_problem(client.post_jws(url, {**jws, "signature": "+/" + jws["signature"][2:]}),
                   400, "malformed")


def test_14_url_mismatch_is_unauthorized(client):
    """§6.4"""
    wrong = client.directory["newAccount"]
    assert_problem(client.post(client.directory["newOrder"], {}, url=wrong), 403, "unauthorized")


def test_14_missing_url_is_malformed(client):
    """§6.4"""
    assert_problem(client.post(client.directory["newOrder"], {}, url=None), 400, "malformed")


def test_15_url_is_compared_as_an_exact_string(client):
    """§6.4: no normalisation, no look at the Host header or what a proxy adds."""
    url = client.directory["newOrder"]
    for other in (url + "/", url + "?x=1", url.replace("https://", "HTTPS://"),
                  url.replace("localhost", "LOCALHOST")):
        assert_problem(client.post(url, {}, url=other), 403, "unauthorized")
    jws = signed(client, url, {"identifiers": [{"type": "dns", "value": "point15.example.test"}]})
    response = client.request("POST", url, compact(jws),
                              {"Content-Type": JOSE, "Host": "elsewhere.example",
                               "X-Forwarded-Host": "elsewhere.example",
                               "X-Forwarded-Proto": "http"})
    assert response.status == 201
    assert response.location.startswith(url.rsplit("/acme/", 1)[0])


def test_16_post_as_get_payload_is_empty_not_an_object(client):
    """§6.3"""
    order = client.new_order(["point16.example.test"])
    for url in (order.location, order.json["authorizations"][0]):
        assert client.post(url, None).status == 200
        response = client.post(url, {})
        # {} on an authorization could only be an update; it asks for nothing we know.
        assert_problem(response, 400, "malformed")


def test_17_post_as_get_works_on_directory_and_new_nonce(client):
    """§6.3"""
    response = client.post(client.directory_url, None)
    assert response.status == 200
    assert response.json["newNonce"] == client.directory["newNonce"]
    response = client.post(client.directory["newNonce"], None)
    assert response.status // 100 == 2
    assert response.nonce


def test_ecdsa_signature_must_be_raw_of_exact_length(client):
    """RFC 7518 §3.4: R ‖ S, not DER."""
    url = client.directory["newOrder"]
    header = client.protected(url)
    head, body = b64(compact(header)), b64(b"{}")
    der = client.key.private.sign(f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256()))
    response = client.post_jws(url, {"protected": head, "payload": body, "signature": b64(der)})
    assert response.status in (400, 403)
    assert json.loads(response.body)["type"].startswith("urn:ietf:params:acme:error:")
