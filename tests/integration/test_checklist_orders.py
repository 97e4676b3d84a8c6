"""Checklist points 43 to 59: orders, authorizations and challenges (RFC 8555 §7.1, §7.4, §7.5, §8)."""

import datetime
import hashlib
import re
import socket
import ssl
import threading

import pytest
from acme_client import Client, b64, make_csr
from checklist import URN, assert_problem
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from servers import AgentCa, Solver, wait_for


def order_of(client, *names, **members):
    return client.post(client.directory["newOrder"], {
        "identifiers": [n if isinstance(n, dict) else {"type": "dns", "value": n} for n in names],
        **members})


def settle(client, url, deadline=30):
    return client.wait(url, lambda a: a["status"] not in ("pending", "processing"), deadline)


def test_43_unknown_identifier_type_is_unsupported(client):
    """§6.7"""
    response = order_of(client, {"type": "email", "value": "a@example.test"})
    assert_problem(response, 400, "unsupportedIdentifier")


def test_44_wildcard_authorization_has_the_base_name_and_the_flag(client):
    """§7.1.3, §7.1.4"""
    order = client.new_order(["*.point44.example.test", "plain44.example.test"]).json
    assert {i["value"] for i in order["identifiers"]} == {"*.point44.example.test",
                                                          "plain44.example.test"}
    by_name = {}
    for url in order["authorizations"]:
        authorization = client.fetch(url).json
        by_name[authorization["identifier"]["value"]] = authorization
    assert by_name["point44.example.test"]["wildcard"] is True
    assert {c["type"] for c in by_name["point44.example.test"]["challenges"]} == {"dns-01"}
    assert "wildcard" not in by_name["plain44.example.test"]


@pytest.mark.parametrize("name", ["a.*.example.test", "*.*.example.test", "*", "*.", "**.example.test",
                                  "f*o.example.test"])
def test_44_wildcards_elsewhere_are_refused(client, name):
    """§7.1.3"""
    assert order_of(client, name).status == 400


@pytest.mark.parametrize("name", [
    "xn--.example.test", "xn--\u00fc.example.test", "b\u00fccher.example.test",
    "xn--99999999999.example.test", "-a.example.test", "a-.example.test", "a..example.test",
    ".example.test", "a b.example.test", "a_b.example.test", "a" * 64 + ".example.test",
    ".".join(["a" * 60] * 5), "127.0.0.1", "1.2.3.4.5", "example.test:80", "", "a.example.test\0",
    "ab--cd.example.test"])
def test_45_names_are_valid_a_labels(client, name):
    """§7.1.4, RFC 5891"""
    response = order_of(client, name)
    assert response.status == 400 and response.problem in ("rejectedIdentifier", "malformed"), \
        response.body


def test_45_a_valid_a_label_is_taken(client):
    """§7.1.4"""
    assert client.new_order(["xn--bcher-kva.example.test"]).status == 201


def test_46_not_before_and_not_after_are_honoured_or_refused(client):
    """§7.4"""
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    start, end = now, now + datetime.timedelta(hours=2)

    def text(value):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")

    created = order_of(client, "point46.example.test", notBefore=text(start), notAfter=text(end))
    if created.status == 201:
        assert (created.json["notBefore"], created.json["notAfter"]) == (text(start), text(end))
        client.authorize(created.json)
        key = ec.generate_private_key(ec.SECP256R1())
        assert client.finalize(created.json, make_csr(["point46.example.test"], key)).status == 200
        order = client.wait(created.location, lambda o: o["status"] != "processing")
        chain = client.fetch(order["certificate"]).body
        leaf = x509.load_pem_x509_certificate(chain)
        assert leaf.not_valid_before == start.replace(tzinfo=None)
        assert leaf.not_valid_after == end.replace(tzinfo=None)
    else:
        assert created.status == 400
    for bad in ({"notAfter": text(now + datetime.timedelta(days=3650))},
                {"notAfter": text(now - datetime.timedelta(days=1))},
                {"notBefore": text(now - datetime.timedelta(days=3650))},
                {"notBefore": "yesterday"}, {"notAfter": 5},
                {"notBefore": text(end), "notAfter": text(start)}):
        assert order_of(client, "point46.example.test", **bad).status == 400, bad


def test_47_states_follow_the_graph(client):
    """§7.1.6: pending → ready → (processing →) valid"""
    created = client.new_order(["point47.example.test"])
    assert created.json["status"] == "pending" and created.json["expires"]
    assert "certificate" not in created.json
    url = created.json["authorizations"][0]
    authorization = client.fetch(url).json
    assert authorization["status"] == "pending"
    assert {c["status"] for c in authorization["challenges"]} == {"pending"}
    client.authorize(created.json)
    assert client.fetch(created.location).json["status"] == "ready"
    answer = client.finalize(created.json, make_csr(["point47.example.test"]))
    assert answer.json["status"] in ("processing", "valid")
    assert answer.location == created.location
    order = client.wait(created.location, lambda o: o["status"] != "processing")
    assert order["status"] == "valid" and order["certificate"]


def test_47_an_expired_order_is_invalid(tmp_path, challenges):
    """§7.1.6"""
    server = AgentCa(tmp_path / "ca", challenges, serve=["--order-lifetime", "2s"]).start()
    try:
        client = Client(server.directory_url, str(server.root_file), solver=Solver(challenges))
        client.register()
        created = client.new_order(["point47x.example.test"])
        assert created.json["status"] == "pending"
        order = client.wait(created.location, lambda o: o["status"] == "invalid", 10)
        assert order["status"] == "invalid"
        assert client.finalize(order, make_csr(["point47x.example.test"])).problem == "orderNotReady"
        client.close()
    finally:
        server.stop()


def fail_http01(client, name, challenges):
    """Starts http-01 without an answer in place; returns (order URL, authorization URL)."""
    created = client.new_order([name])
    url = created.json["authorizations"][0]
    challenge = next(c for c in client.fetch(url).json["challenges"] if c["type"] == "http-01")
    client.must(challenge["url"], {})
    return created.location, url, challenge["url"]


def test_48_failed_authorization_makes_the_order_invalid_with_an_error(client, challenges):
    """§7.1.6"""
    order, authorization, challenge = fail_http01(client, "point48.example.test", challenges)
    assert settle(client, authorization)["status"] == "invalid"
    state = client.fetch(order).json
    assert state["status"] == "invalid"
    assert state["error"]["type"].startswith(URN) and state["error"]["detail"]
    failed = client.fetch(challenge).json
    assert failed["status"] == "invalid" and failed["error"]["type"].startswith(URN)


def test_49_identifiers_and_authorization_urls_never_change(client):
    """§7.1.3"""
    created = client.new_order(["point49.example.test", "*.point49.example.test"])
    client.authorize(created.json, "dns-01")
    later = client.fetch(created.location).json
    for name in ("identifiers", "authorizations", "finalize", "expires"):
        assert later[name] == created.json[name]
    client.finalize(created.json, make_csr(["point49.example.test", "*.point49.example.test"]))
    order = client.wait(created.location, lambda o: o["status"] != "processing")
    assert order["status"] == "valid"
    assert order["identifiers"] == created.json["identifiers"]
    assert order["authorizations"] == created.json["authorizations"]


def test_50_post_as_get_on_a_challenge_does_not_start_it(client):
    """§6.3, §7.5.1"""
    url = client.new_order(["point50.example.test"]).json["authorizations"][0]
    challenge = next(c for c in client.fetch(url).json["challenges"] if c["type"] == "http-01")
    for _ in range(3):
        assert client.post(challenge["url"], None).json["status"] == "pending"
    assert client.fetch(url).json["status"] == "pending"
    assert client.must(challenge["url"], {}).json["status"] in ("processing", "valid", "invalid")


def test_51_unknown_fields_of_a_challenge_response_are_ignored(client, challenges):
    """§7.5.1"""
    created = client.new_order(["point51.example.test"])
    authorization = client.fetch(created.json["authorizations"][0]).json
    challenge = next(c for c in authorization["challenges"] if c["type"] == "http-01")
    client.solver.deploy("http-01", "point51.example.test", challenge["token"],
                         client.key_authorization(challenge["token"]))
    client.must(challenge["url"], {"colour": {"deep": [1]}})
    assert settle(client, created.json["authorizations"][0])["status"] == "valid"


@pytest.mark.parametrize("payload", [[], "x", 1, b"null", b"{", b"\xff\xfe"])
def test_51_challenge_responses_that_are_no_object_leave_it_pending(client, payload):
    """§7.5.1"""
    url = client.new_order(["point51b.example.test"]).json["authorizations"][0]
    challenge = client.fetch(url).json["challenges"][0]
    assert_problem(client.post(challenge["url"], payload), 400, "malformed")
    assert client.fetch(url).json["status"] == "pending"


def test_52_a_deactivated_authorization_is_unusable(client):
    """§7.5.2"""
    created = client.new_order(["point52.example.test"])
    client.authorize(created.json)
    url = created.json["authorizations"][0]
    response = client.must(url, {"status": "deactivated"})
    assert response.status == 200 and response.json["status"] == "deactivated"
    assert client.fetch(created.location).json["status"] == "invalid"
    assert_problem(client.finalize(created.json, make_csr(["point52.example.test"])),
                   403, "orderNotReady")
    challenge = response.json["challenges"][0]["url"]
    client.post(challenge, {})
    assert client.fetch(url).json["status"] == "deactivated"


def test_53_valid_authorization_has_expires_and_its_challenge_validated(client):
    """§7.5.1, §8"""
    created = client.new_order(["point53.example.test"])
    client.authorize(created.json)
    authorization = client.fetch(created.json["authorizations"][0]).json
    stamp = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
    assert stamp.fullmatch(authorization["expires"])
    done = [c for c in authorization["challenges"] if c["status"] == "valid"]
    assert len(done) == 1 and stamp.fullmatch(done[0]["validated"])


def test_54_retries_show_in_error_and_retry_after(client, challenges):
    """§8.2: nothing listens on this address; the server tries again and says so."""
    name = "point54.example.test"
    challenges.own_address(name)
    created = client.new_order([name])
    url = created.json["authorizations"][0]
    challenge = next(c for c in client.fetch(url).json["challenges"] if c["type"] == "http-01")
    client.must(challenge["url"], {})

    def retrying():
        response = client.post(challenge["url"], None)
        state = response.json
        return state["status"] != "processing" or ("error" in state and response)

    response = wait_for(retrying, 20, "an error while processing")
    assert response is not True, "the challenge settled without a retry"
    assert response.json["error"]["type"] == URN + "connection"
    assert int(response.headers["Retry-After"]) >= 1
    assert settle(client, url, 60)["status"] == "invalid"


def test_55_every_url_of_an_account_is_closed_to_others(new_client):
    """§10.5"""
    owner, stranger = new_client(), new_client()
    owner.register()
    stranger.register()
    issued = owner.obtain(["point55.example.test"])
    pending = owner.new_order(["point55b.example.test"])
    authorization = pending.json["authorizations"][0]
    challenge = owner.fetch(authorization).json["challenges"][0]["url"]
    for url, payload in ((owner.kid, None), (owner.kid, {"contact": []}),
                         (owner.must(owner.kid, None).json["orders"], None),
                         (pending.location, None), (authorization, None),
                         (authorization, {"status": "deactivated"}), (challenge, None),
                         (challenge, {}), (issued.order["certificate"], None),
                         (issued.order["finalize"], {"csr": b64(make_csr(["point55.example.test"]))}),
                         (owner.kid, {"status": "deactivated"})):
        assert_problem(stranger.post(url, payload), 403, "unauthorized")
    assert owner.fetch(authorization).json["status"] == "pending"
    assert owner.post(owner.kid, None).status == 200


def test_55_ids_are_unguessable(client):
    """§10.5: no two ids share more than the time they were made at."""
    urls = [client.new_order(["point55c.example.test"]).location for _ in range(20)]
    tails = [url.rstrip("/").rsplit("/", 1)[1] for url in urls]
    assert all(len(tail) >= 22 for tail in tails)
    assert len({tail[-16:] for tail in tails}) == 20


def test_56_tokens_have_128_bits_in_base64url(client):
    """§8.3"""
    tokens = set()
    for number in range(20):
        url = client.new_order([f"point56-{number}.example.test"]).json["authorizations"][0]
        token = client.fetch(url).json["challenges"][0]["token"]
        assert re.fullmatch(r"[A-Za-z0-9_-]{22,}", token)
        tokens.add(token)
    assert len(tokens) == 20


class HttpAnswers:
    """A one-thread HTTP server on an address of its own: path → raw answer."""

    def __init__(self, address, port):
        self.answers, self.asked = {}, []
        self.listener = socket.create_server((address, port), backlog=64)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                request = b""
                try:
                    while b"\r\n\r\n" not in request:
                        octets = connection.recv(4096)
                        if not octets:
                            break
                        request += octets
                    path = request.split(b" ")[1].decode() if b" " in request else ""
                    self.asked.append(request)
                    answer = self.answers.get(path, b"HTTP/1.1 404 Not Found\r\n"
                                                    b"Content-Length: 0\r\n\r\n")
                    connection.sendall(answer)
                except OSError:
                    continue

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


def ok(body):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body)


def redirect(target):
    return (b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            % target.encode())


@pytest.fixture
def web(challenges):
    """Names with an HTTP server of their own: web(name) → HttpAnswers."""
    servers = []

    def make(*names):
        servers.append(HttpAnswers(challenges.own_address(*names), challenges.http_port))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


def validate(client, name, kind="http-01", prepare=lambda challenge: None):
    created = client.new_order([name])
    url = created.json["authorizations"][0]
    challenge = next(c for c in client.fetch(url).json["challenges"] if c["type"] == kind)
    prepare(challenge)
    client.must(challenge["url"], {})
    authorization = settle(client, url, 60)
    return authorization["status"], next(c for c in authorization["challenges"] if c["type"] == kind)


def well_known(challenge):
    return "/.well-known/acme-challenge/" + challenge["token"]


def test_57_redirects_are_followed_and_trailing_white_space_is_trimmed(client, web, challenges):
    """§8.3"""
    server = web("point57.example.test", "point57b.example.test")

    def prepare(challenge):
        base = f"http://point57b.example.test:{challenges.http_port}"
        server.answers[well_known(challenge)] = redirect(base + "/one")
        server.answers["/one"] = redirect("/two")
        server.answers["/two"] = ok(client.key_authorization(challenge["token"]).encode() + b" \r\n\t")

    assert validate(client, "point57.example.test", prepare=prepare)[0] == "valid"


def test_57_a_redirect_loop_ends(client, web):
    """§8.3: at most ten redirects."""
    server = web("loop57.example.test")
    status, challenge = validate(
        client, "loop57.example.test",
        prepare=lambda c: server.answers.update({well_known(c): redirect(well_known(c))}))
    assert status == "invalid" and challenge["error"]["type"] in (URN + "connection",
                                                                  URN + "incorrectResponse")
    assert len(server.asked) <= 11 * 3


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest/", "http://[::1]/", "ftp://x/",
                                    "file:///etc/passwd", "http://denied57.example.test:22/",
                                    "gopher://x/", "//", "http://"])
def test_57_redirects_to_forbidden_places_are_refused(client, web, challenges, target):
    """§10.4"""
    challenges.tell("add-a", host="denied57.example.test.", addresses=["169.254.169.254"])
    server = web("ssrf57.example.test")
    status, challenge = validate(
        client, "ssrf57.example.test",
        prepare=lambda c: server.answers.update({well_known(c): redirect(target)}))
    assert status == "invalid"
    assert challenge["error"]["type"].startswith(URN)


def test_57_a_name_at_a_denied_address_is_not_connected_to(client, challenges):
    """§10.4"""
    challenges.tell("add-a", host="metadata57.example.test.", addresses=["169.254.169.254"])
    status, challenge = validate(client, "metadata57.example.test")
    assert status == "invalid"
    assert challenge["error"]["type"] in (URN + "rejectedIdentifier", URN + "connection",
                                          URN + "unauthorized")


def test_57_huge_and_wrong_answers_are_refused(client, web):
    """§8.3, §10.4"""
    server = web("huge57.example.test")
    for make in (lambda c: ok(b"A" * 10_000_000),
                 lambda c: ok(client.key_authorization(c["token"]).encode() + b"x"),
                 lambda c: ok(b""), lambda c: b"garbage", lambda c: b"",
                 lambda c: b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 1_000_000 + b"\r\n\r\n",
                 lambda c: b"HTTP/1.1 500 No\r\nContent-Length: 87\r\n\r\n"
                           + client.key_authorization(c["token"]).encode()):
        status, challenge = validate(
            client, "huge57.example.test",
            prepare=lambda c, make=make: server.answers.update({well_known(c): make(c)}))
        assert status == "invalid"
        assert len(challenge["error"]["detail"]) < 500


def test_58_dns01_accepts_any_one_matching_record(client, challenges):
    """§8.4"""
    name = "point58.example.test"

    def prepare(challenge):
        challenges.tell("set-txt", host=f"_acme-challenge.{name}.", value="unrelated")
        client.solver.deploy("dns-01", name, challenge["token"],
                             client.key_authorization(challenge["token"]))
        challenges.tell("set-txt", host=f"_acme-challenge.{name}.", value="also unrelated")

    assert validate(client, name, "dns-01", prepare)[0] == "valid"


def test_58_dns01_refuses_wrong_records(client, challenges):
    """§8.4: the key authorization itself is not its digest."""
    name = "wrong58.example.test"

    def prepare(challenge):
        challenges.tell("set-txt", host=f"_acme-challenge.{name}.",
                        value=client.key_authorization(challenge["token"]))

    status, challenge = validate(client, name, "dns-01", prepare)
    assert status == "invalid"
    assert challenge["error"]["type"] in (URN + "unauthorized", URN + "incorrectResponse")


ACME_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")


class AlpnServer:
    """Answers tls-alpn-01 with one certificate of the test's choice."""

    def __init__(self, address, port, tmp_path, names, digest, critical=True, alpn="acme-tls/1",
                 extension=None):
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.utcnow()
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "acme")])
        value = bytes([4, len(digest)]) + digest if extension is None else extension
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(days=1))
                   .not_valid_after(now + datetime.timedelta(days=1))
                   .add_extension(x509.UnrecognizedExtension(ACME_IDENTIFIER, value), critical))
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), False)
        certificate = builder.sign(key, hashes.SHA256())
        pem = tmp_path / "alpn.pem"
        pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pem)
        if alpn:
            self.context.set_alpn_protocols([alpn])
        self.listener = socket.create_server((address, port))
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.settimeout(5)
            try:
                self.context.wrap_socket(connection, server_side=True).close()
            except OSError:
                connection.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


WRONG_ALPN = {
    "right": ({}, "valid"),
    "extension not critical": ({"critical": False}, "invalid"),
    "another name": ({"names": ["other59.example.test"]}, "invalid"),
    "two names": ({"names": ["{name}", "other59.example.test"]}, "invalid"),
    "no name": ({"names": []}, "invalid"),
    "another digest": ({"digest": b"\0" * 32}, "invalid"),
    "no ALPN": ({"alpn": None}, "invalid"),
    "another ALPN": ({"alpn": "http/1.1"}, "invalid"),
    "trailing garbage": ({"trailing": b"\0"}, "invalid"),
}


@pytest.mark.parametrize("case", WRONG_ALPN)
def test_59_tls_alpn01_checks_every_part(client, challenges, tmp_path, case):
    """RFC 8737 §3"""
    changes, expected = WRONG_ALPN[case]
    name = f"{case.replace(' ', '-')}.p59.example.test".lower()
    address = challenges.own_address(name)
    servers = []

    def prepare(challenge):
        key_authorization = client.key_authorization(challenge["token"]).encode()
        arguments = {"names": [name], "digest": hashlib.sha256(key_authorization).digest(), **changes}
        arguments["names"] = [n.format(name=name) for n in arguments["names"]]
        if trailing := arguments.pop("trailing", b""):
            digest = arguments["digest"]
            arguments["extension"] = bytes([4, len(digest)]) + digest + trailing
        servers.append(AlpnServer(address, challenges.tls_port, tmp_path, **arguments))

    status, challenge = validate(client, name, "tls-alpn-01", prepare)
    for server in servers:
        server.close()
    assert status == expected, challenge


def test_59_ip_identifier_is_asked_for_by_its_reverse_name(client, challenges, tmp_path):
    """RFC 8738 §6: http-01 for an address works; dns-01 is not offered."""
    created = order_of(client, {"type": "ip", "value": "127.0.0.1"})
    assert created.status == 201, created.body
    authorization = client.fetch(created.json["authorizations"][0]).json
    kinds = {c["type"] for c in authorization["challenges"]}
    assert kinds == {"http-01", "tls-alpn-01"}
    challenge = next(c for c in authorization["challenges"] if c["type"] == "http-01")
    client.solver.deploy("http-01", "127.0.0.1", challenge["token"],
                         client.key_authorization(challenge["token"]))
    client.must(challenge["url"], {})
    assert settle(client, created.json["authorizations"][0])["status"] == "valid"


@pytest.mark.parametrize("value", ["127.0.0.01", "::ffff:127.0.0.1", "1.2.3", "fe80::1%eth0", "[::1]",
                                   "2001:DB8::1", "example.test", "*.1.2.3.4", ""])
def test_ip_identifiers_have_one_textual_form(client, value):
    """RFC 8738 §3, RFC 5952 §4"""
    response = order_of(client, {"type": "ip", "value": value})
    assert response.status == 400 and response.problem in ("malformed", "rejectedIdentifier")
