"""Checklist points 29 to 42: accounts (RFC 8555 §7.3), without external account binding."""

import pytest
from acme_client import Client, Key
from checklist import assert_problem
from servers import AgentCa, Solver


def test_29_new_account_is_201_and_the_same_key_200_at_the_same_place(new_client):
    """§7.3, §7.3.1"""
    client = new_client()
    created = client.register(contact=["mailto:a@example.test"])
    assert created.status == 201 and created.location
    assert created.json["status"] == "valid"
    client.kid = None
    again = client.register(contact=["mailto:other@example.test"])
    assert (again.status, again.location) == (200, created.location)
    assert again.json["contact"] == ["mailto:a@example.test"]


def test_30_only_return_existing_creates_nothing(new_client):
    """§7.3.1"""
    client = new_client()
    url = client.directory["newAccount"]
    for _ in range(2):
        assert_problem(client.post(url, {"onlyReturnExisting": True, "termsOfServiceAgreed": True}),
                       400, "accountDoesNotExist")
    assert client.register().status == 201
    kid, client.kid = client.kid, None
    found = client.post(url, {"onlyReturnExisting": True})
    assert (found.status, found.location) == (200, kid)


@pytest.fixture
def with_terms(tmp_path, challenges):
    servers = []

    def start(terms):
        if servers:
            servers[-1].stop()
            server = servers[-1]
            server.serve_arguments = ["--terms-of-service", terms]
        else:
            server = AgentCa(tmp_path / "ca", challenges, serve=["--terms-of-service", terms])
            servers.append(server)
        return server.start()

    yield start
    for server in servers:
        server.stop()


def client_of(server, challenges, key=None):
    return Client(server.directory_url, str(server.root_file), key=key, solver=Solver(challenges))


def test_31_terms_not_agreed_is_refused(with_terms, challenges):
    """§7.3"""
    server = with_terms("https://example.test/terms-1")
    client = client_of(server, challenges)
    assert client.directory["meta"]["termsOfService"] == "https://example.test/terms-1"
    for payload in ({}, {"termsOfServiceAgreed": False}):
        response = client.post(client.directory["newAccount"], payload)
        assert_problem(response, 403, "userActionRequired")
    assert client.post(client.directory["newAccount"],
                       {"termsOfServiceAgreed": "true"}).status == 400
    assert client.register().status == 201
    client.close()


def test_32_changed_terms_ask_for_user_action_until_agreed(with_terms, challenges):
    """§7.3.3"""
    client = client_of(with_terms("https://example.test/terms-1"), challenges)
    client.register()
    client.close()
    server = with_terms("https://example.test/terms-2")
    again = client_of(server, challenges, key=client.key)
    again.kid = client.kid
    response = again.post(again.directory["newOrder"],
                          {"identifiers": [{"type": "dns", "value": "point32.example.test"}]})
    assert_problem(response, 403, "userActionRequired")
    assert response.json["instance"]
    assert response.links("terms-of-service") == ["https://example.test/terms-2"]
    # §7.3.2: an update of the account MUST NOT change it; §7.1.2: a newAccount request says it.
    assert again.post(again.kid, {"termsOfServiceAgreed": True}).status == 200
    assert again.post(again.directory["newOrder"], {
        "identifiers": [{"type": "dns", "value": "point32.example.test"}]}).status == 403
    kid, again.kid = again.kid, None
    agreed = again.post(again.directory["newAccount"], {"termsOfServiceAgreed": True})
    assert (agreed.status, agreed.location) == (200, kid)
    again.kid = kid
    assert again.new_order(["point32.example.test"]).status == 201
    again.close()


@pytest.mark.parametrize("contact,kind", [
    ("tel:+123456", "unsupportedContact"), ("https://example.test/", "unsupportedContact"),
    ("mailto:", "invalidContact"), ("mailto:nobody", "invalidContact"),
    ("mailto:a@example.test,b@example.test", "invalidContact"),
    ("mailto:a@example.test?subject=x", "invalidContact"),
    ("mailto:a@exa mple.test", "invalidContact"), ("mailto:a@b\r\nX: y", "invalidContact")])
def test_33_contacts_are_checked(new_client, contact, kind):
    """§7.3"""
    client = new_client()
    url = client.directory["newAccount"]
    assert_problem(client.post(url, {"termsOfServiceAgreed": True, "contact": [contact]}), 400, kind)
    assert_problem(client.post(url, {"onlyReturnExisting": True}), 400, "accountDoesNotExist")
    client.register()
    assert_problem(client.post(client.kid, {"contact": [contact]}), 400, kind)


def test_34_unknown_and_server_owned_fields_are_ignored_and_not_echoed(new_client):
    """§7.3, §7.3.2"""
    client = new_client()
    created = client.register(orders="https://evil.test/", colour="red", status="revoked",
                              onlyReturnExisting=False)
    assert created.status == 201
    account = created.json
    assert account["status"] == "valid" and account["orders"].startswith("https://localhost")
    assert not {"colour", "onlyReturnExisting"} & set(account)
    updated = client.must(client.kid, {"orders": "https://evil.test/", "status": "valid",
                                       "contact": ["mailto:b@example.test"]}).json
    assert updated["contact"] == ["mailto:b@example.test"]
    assert updated["orders"] == account["orders"]


def test_38_key_change_checks_every_part_of_the_inner_jws(client):
    """§7.3.5"""
    url = client.directory["keyChange"]
    new = Key.generate()
    good_header = {"alg": "ES256", "jwk": new.jwk, "url": url}
    good_payload = {"account": client.kid, "oldKey": client.key.jwk}

    def attempt(header, payload, key=new, mangle=lambda jws: jws):
        return client.post(url, mangle(client.sign(key, header, payload)))

    without_jwk = {"alg": "ES256", "kid": client.kid, "url": url}
    assert_problem(attempt(without_jwk, good_payload), 400, "malformed")
    assert_problem(attempt({**good_header, "nonce": client.nonce()}, good_payload), 400, "malformed")
    assert attempt({**good_header, "url": url + "x"}, good_payload).status in (400, 403)
    assert attempt(good_header, {**good_payload, "account": client.kid + "x"}).status in (400, 403)
    other = Key.generate()
    assert attempt(good_header, {**good_payload, "oldKey": other.jwk}).status in (400, 403)
    assert attempt(good_header, good_payload, key=other).status in (400, 403)
    for payload in ({}, {"account": client.kid}, {"oldKey": client.key.jwk}):
        assert_problem(attempt(good_header, payload), 400, "malformed")
    weak = Key.generate("RS256", bits=1024)
    assert_problem(attempt({"alg": "RS256", "jwk": weak.jwk, "url": url}, good_payload, key=weak),
                   400, "badPublicKey")
    assert client.post(client.kid, None).status == 200


def test_39_new_key_in_use_is_409_with_the_location_of_its_account(new_client):
    """§7.3.5"""
    client, other = new_client(), new_client()
    client.register()
    other.register()
    response = client.change_key(other.key)
    assert response.status == 409
    assert response.location == other.kid
    assert response.content_type == "application/problem+json"
    assert client.post(client.kid, None).status == 200


def test_40_after_key_change_the_old_key_is_dead_and_orders_survive(client):
    """§7.3.5"""
    created = client.new_order(["point40.example.test"])
    old = client.key
    assert client.change_key(Key.generate("ES384")).status == 200
    stale = client.sign(old, client.protected(client.kid, alg=old.alg), {})
    assert client.post_jws(client.kid, stale).status in (400, 401, 403)
    assert client.post(client.kid, None).status == 200
    client.authorize(created.json)
    assert client.fetch(created.location).json["status"] == "ready"


def test_40_the_old_key_finds_no_account(client):
    """§7.3.5"""
    old, kid = client.key, client.kid
    assert client.change_key(Key.generate()).status == 200
    url = client.directory["newAccount"]
    jws = client.sign(old, client.protected(url, kid=None, jwk=old.jwk), {"onlyReturnExisting": True})
    assert_problem(client.post_jws(url, jws), 400, "accountDoesNotExist")
    assert client.kid == kid


def test_41_deactivated_account_is_401_and_its_orders_are_cancelled(new_client, agentca):
    """§7.3.6: certificates are not revoked."""
    client = new_client()
    client.register()
    issued = client.obtain(["point41.example.test"])
    pending = client.new_order(["point41b.example.test"])
    response = client.must(client.kid, {"status": "deactivated"})
    assert response.json["status"] == "deactivated"
    for url, payload in ((client.kid, None), (pending.location, None), (issued.order_url, None),
                         (client.directory["newOrder"], {"identifiers": []})):
        assert_problem(client.post(url, payload), 401, "unauthorized")
    kid, client.kid = client.kid, None
    again = client.post(client.directory["newAccount"], {"termsOfServiceAgreed": True})
    assert again.status in (200, 401, 403) and again.status != 201
    if again.status == 200:
        assert again.json["status"] == "deactivated" and again.location == kid
    assert agentca.cli("cert", "show", f"{issued.serial:x}", "--json", check=False).returncode == 0
    shown = agentca.json("cert", "show", f"{issued.serial:x}")
    assert not shown.get("revoked") and not shown.get("revocation")


def test_41_every_status_but_deactivated_is_ignored(client):
    """§7.3.2: the server MUST ignore updates of the status except as allowed by §7.3.6."""
    for status in ("revoked", "purple", "valid"):
        assert client.must(client.kid, {"status": status}).json["status"] == "valid"
    assert_problem(client.post(client.kid, {"status": 1}), 400, "malformed")
    assert client.must(client.kid, None).json["status"] == "valid"


def test_42_orders_list_pages_and_hides_invalid_orders(client):
    """§7.1.2.1"""
    orders = {client.new_order([f"point42-{n}.example.test"]).location for n in range(55)}
    dead = client.new_order(["point42-dead.example.test"])
    client.must(dead.json["authorizations"][0], {"status": "deactivated"})
    assert client.fetch(dead.location).json["status"] == "invalid"
    url, found, pages = client.must(client.kid, None).json["orders"], [], 0
    while url:
        response = client.must(url, None)
        assert set(response.json) == {"orders"}
        found += response.json["orders"]
        pages += 1
        url = next(iter(response.links("next")), None)
    assert len(found) == len(set(found))
    assert set(found) == orders
    assert pages > 1


def test_42_orders_list_of_another_account_is_refused(new_client):
    """§10.5"""
    one, two = new_client(), new_client()
    one.register()
    two.register()
    url = one.must(one.kid, {}).json["orders"]
    assert_problem(two.post(url, None), 403, "unauthorized")
