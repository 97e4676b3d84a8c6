"""Checklist points 18 to 28: nonces, errors and links (RFC 8555 §6.5 to §6.7, §7.1)."""

import threading

import pytest
from acme_client import Client, compact, make_csr
from checklist import BASE64URL, REGISTERED, URN, assert_problem, flipped
from servers import AgentCa, Solver


def test_18_every_successful_post_carries_a_nonce(client):
    """§6.5"""
    order = client.new_order(["point18.example.test"])
    for response in (order, client.post(order.location), client.post(client.kid, None),
                     client.post(order.json["authorizations"][0])):
        assert response.status // 100 == 2
        assert BASE64URL.fullmatch(response.nonce)


def test_19_errors_carry_a_fresh_nonce_that_works(client):
    """§6.5"""
    seen = set()
    for payload in ({}, {"identifiers": []}, {"identifiers": "x"}, [], b"{", b"\xff"):
        response = client.post(client.directory["newOrder"], payload)
        assert response.status == 400
        assert BASE64URL.fullmatch(response.nonce) and response.nonce not in seen
        seen.add(response.nonce)
    assert client.post(client.kid, None, nonce=response.nonce).status == 200


def test_20_bad_nonce_carries_a_usable_nonce(client):
    """§6.5"""
    response = assert_problem(client.post(client.kid, None, nonce="AAAA"), 400, "badNonce")
    assert client.post(client.kid, None, nonce=response.nonce).status == 200


def test_21_replayed_missing_and_foreign_nonces_are_bad_nonce(client):
    """§6.5"""
    used = client.nonce()
    assert client.post(client.kid, None, nonce=used).status == 200
    assert_problem(client.post(client.kid, None, nonce=used), 400, "badNonce")
    assert_problem(client.post(client.kid, None, nonce=None), 400, "badNonce")
    fresh = client.nonce()
    foreign = ("A" if fresh[-1] != "A" else "B").join([fresh[:-1], ""])
    assert_problem(client.post(client.kid, None, nonce=foreign), 400, "badNonce")
    assert_problem(client.post(client.kid, None, nonce=""), 400, "badNonce")


def test_21_a_request_with_a_bad_signature_does_not_spend_the_nonce(client):
    """The nonce is spent after the signature was verified: a stranger cannot burn it."""
    nonce = client.nonce()
    jws = client.sign(client.key, client.protected(client.kid, nonce=nonce), None)
    assert client.post_jws(client.kid, flipped(jws)).status in (400, 403)
    assert client.post_jws(client.kid, jws).status == 200


def test_22_of_two_parallel_uses_exactly_one_wins(client, agentca):
    """§6.5"""
    for _ in range(10):
        body = compact(client.sign(client.key, client.protected(client.kid), None))
        statuses, barrier = [], threading.Barrier(4)

        def shoot():
            other = Client(agentca.directory_url, str(agentca.root_file))
            other.get(other.directory_url)
            barrier.wait()
            statuses.append(other.post_raw(client.kid, body).status)
            other.close()

        threads = [threading.Thread(target=shoot) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(statuses) == [200, 400, 400, 400]


def test_23_new_nonce_head_is_200_get_is_204_never_stored(client):
    """§7.2"""
    url = client.directory["newNonce"]
    for method, status in (("HEAD", 200), ("GET", 204)):
        response = client.request(method, url)
        assert response.status == status
        assert BASE64URL.fullmatch(response.nonce)
        assert "no-store" in response.headers["Cache-Control"]
        assert response.body == b""
        assert response.links("index") == [client.directory_url]


def test_24_problems_use_registered_types_only(client):
    """§6.7"""
    url = client.directory["newOrder"]
    for response in (client.post(url, {}), client.post(url, None), client.get(url),
                     client.post(url, {}, alg="none"), client.post(url, {}, url="x"),
                     client.post(url + "/nowhere", None), client.get(client.directory_url + "x"),
                     client.post_raw(url, b"\0"), client.post_raw(url, b"[" * 100000)):
        assert response.status // 100 == 4
        assert response.content_type == "application/problem+json"
        assert response.json["type"].removeprefix(URN) in REGISTERED


def test_25_several_bad_identifiers_are_compound_with_subproblems(client):
    """§6.7.1"""
    response = client.post(client.directory["newOrder"], {"identifiers": [
        {"type": "dns", "value": "fine.example.test"},
        {"type": "dns", "value": "under_score.example.test"},
        {"type": "email", "value": "a@example.test"}]})
    assert_problem(response, 400, "compound")
    assert "identifier" not in response.json
    kinds = {s["identifier"]["value"]: s["type"] for s in response.json["subproblems"]}
    assert kinds.keys() == {"under_score.example.test", "a@example.test"}
    assert kinds["a@example.test"] == URN + "unsupportedIdentifier"
    assert kinds["under_score.example.test"] in (URN + "rejectedIdentifier", URN + "malformed")


def test_26_rate_limits_say_when_to_come_back(tmp_path, challenges):
    """§6.6"""
    server = AgentCa(tmp_path / "ca", challenges, serve=["--new-orders-per-hour", "3"]).start()
    try:
        client = Client(server.directory_url, str(server.root_file), solver=Solver(challenges))
        client.register()
        for number in range(3):
            assert client.new_order([f"point26-{number}.example.test"]).status == 201
        response = client.post(client.directory["newOrder"], {
            "identifiers": [{"type": "dns", "value": "point26.example.test"}]})
        assert_problem(response, 429, "rateLimited")
        assert 0 < int(response.headers["Retry-After"]) <= 3600
        client.close()
    finally:
        server.stop()


def test_27_every_answer_but_the_directory_links_to_the_index(client):
    """§7.1"""
    assert client.get(client.directory_url).links("index") == []
    order = client.new_order(["point27.example.test"])
    for response in (order, client.post(order.location), client.post(client.kid, None),
                     client.post(order.json["authorizations"][0]),
                     client.post(client.directory["newOrder"], {})):
        assert response.links("index") == [client.directory_url]


@pytest.mark.parametrize("kind", ["http-01", "dns-01", "tls-alpn-01"])
def test_28_challenges_link_up_to_their_authorization(client, kind):
    """§7.1"""
    url = client.new_order(["point28.example.test"]).json["authorizations"][0]
    challenge = next(c for c in client.fetch(url).json["challenges"] if c["type"] == kind)
    assert client.post(challenge["url"]).links("up") == [url]
    assert client.post(challenge["url"], {}).links("up") == [url]


def test_hostile_payloads_of_finalize_leave_the_order_ready(client):
    """§7.4: whatever a CSR holds, a bad one changes nothing."""
    created = client.new_order(["hostile.example.test"])
    client.authorize(created.json)
    good = make_csr(["hostile.example.test"])
    for payload in ({}, {"csr": 1}, {"csr": ""}, {"csr": "!"}, {"csr": "AAAA"}, {"csr": "MAA"}):
        response = client.post(created.json["finalize"], payload)
        assert response.status == 400
        assert client.fetch(created.location).json["status"] == "ready"
    assert client.finalize(created.json, good).status == 200
