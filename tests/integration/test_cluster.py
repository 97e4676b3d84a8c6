"""Three nodes on one PostgreSQL serve as one CA: any request at any node, each nonce once, a
revocation seen by all. What is killed, restarted or taken away: test_cluster_restarts.py."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

import stock_clients
from acme_client import AcmeError, b64, compact, make_csr
from agents import ZONE, Jose
from cluster import BALANCERS, RoundRobin
from crash import chained_lines
from relying_parties import DER, ocsp_status
from servers import SETTLE_DEADLINE, accepts, dns01_value, fetch, wait_for

pytestmark = [pytest.mark.needs_agentca, pytest.mark.long, pytest.mark.xdist_group("cluster")]

REVOCATION_BOUND = 1  # seconds until no node says "good" any more, or serves a list without it


def issuing_crl(cluster, node, certificate):
    """The list that the certificate names, as this node serves it."""
    points = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    status, _, body = fetch(cluster.own(node, points[0].full_name[0].value))
    assert status == 200
    return x509.load_der_x509_crl(body)


def number_of(crl):
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def issuer(cluster):
    return x509.load_pem_x509_certificate(
        (cluster.nodes[0].directory / "ca/issuing.pem").read_bytes())


# ---- One client, every request at another node --------------------------------------------------
def test_every_request_of_a_client_at_the_next_node(cluster):
    client = cluster.client()
    names = ["round.cluster.test", "robin.cluster.test"]
    key = ec.generate_private_key(ec.SECP256R1())
    first = client.obtain(names, certificate_key=key)
    client.wait(first.order_url, lambda order: order["status"] == "valid")
    renewed = client.obtain(names, "dns-01", certificate_key=key)
    assert renewed.serial != first.serial
    assert client.revoke(first.certificate, 4).status == 200
    again = client.revoke(first.certificate, 4)
    assert again.problem == "alreadyRevoked", "the next node knows of it already"
    assert client.connection.turn > 3 * len(cluster.nodes)
    for node in cluster.nodes:
        wait_for(lambda: ocsp_status(node, first.certificate, issuer(cluster)) == "revoked",
                 SETTLE_DEADLINE, f"{node.name} has heard of the revocation")
        assert ocsp_status(node, renewed.certificate, issuer(cluster)) == "good"
    client.close()


@pytest.mark.parametrize("kind", ["http-01", "dns-01", "tls-alpn-01"])
def test_every_challenge_by_way_of_all_nodes(cluster, kind):
    client = cluster.client()
    assert client.obtain([f"{kind}.cluster.test"], kind).certificate
    client.close()


def test_an_account_and_its_orders_are_those_of_all_nodes(cluster):
    """Key roll-over at one, the old key refused at the others; deactivation likewise."""
    client = cluster.client()
    old = client.key
    assert client.change_key(type(old).generate()).status == 200
    for _ in cluster.nodes:
        assert client.fetch(client.kid).json["status"] == "valid"
        refused = client.post(client.kid, None, key=old)
        assert refused.status in (400, 401, 403), refused
    client.must(client.kid, {"status": "deactivated"})
    identifiers = [{"type": "dns", "value": "late.cluster.test"}]
    for _ in cluster.nodes:  # what writes asks the store, at once
        late = client.post(client.directory["newOrder"], {"identifiers": identifiers})
        assert late.problem == "unauthorized"
    for node in cluster.nodes:  # what reads may rest on memory for a moment
        client.connection = RoundRobin([node])
        wait_for(lambda: client.post(client.kid, None).problem == "unauthorized", SETTLE_DEADLINE,
                 f"{node.name} knows of it")
    client.close()


# ---- Nonces -------------------------------------------------------------------------------------
def test_a_nonce_of_one_node_is_good_at_each_other_once(cluster):
    clients = {node: cluster.client(node) for node in cluster.nodes}
    for here in cluster.nodes:
        for there in cluster.nodes:
            nonce = clients[here].nonce()
            client = clients[there]
            assert client.post(client.kid, None, nonce=nonce).status == 200
            for anywhere in cluster.nodes:
                again = clients[anywhere].post(clients[anywhere].kid, None, nonce=nonce)
                assert again.problem == "badNonce", "spent at one, spent at all"
    for client in clients.values():
        client.close()


def test_the_same_request_at_all_nodes_at_once_succeeds_at_one(cluster):
    """new-order, which would leave two orders behind."""
    client = cluster.client()
    # Two connections to each node: races within a node, and between nodes.
    connections = RoundRobin(cluster.nodes).connections + RoundRobin(cluster.nodes).connections
    start = threading.Barrier(len(connections))
    headers = {"Content-Type": "application/jose+json"}

    def send(connection, url, octets):
        start.wait()
        return connection.request("POST", url.replace(cluster.front.acme_url, ""), octets, headers)

    url = client.directory["newOrder"]
    with ThreadPoolExecutor(len(connections)) as pool:
        for number in range(20):
            jws = client.sign(client.key, client.protected(url), {
                "identifiers": [{"type": "dns", "value": f"once-{number}.cluster.test"}]})
            answers = list(pool.map(send, connections, [url] * len(connections),
                                    [compact(jws)] * len(connections)))
            assert sorted(answer.status for answer in answers) == [201] + [400] * 5
            assert all(answer.problem == "badNonce" for answer in answers if answer.status == 400)
    for connection in connections:
        connection.close()
    client.close()


# ---- Clients that others wrote, through balancers that others wrote -----------------------------
@pytest.fixture(params=BALANCERS, ids=lambda kind: kind.name)
def balancer(request, cluster, tmp_path):
    with request.param(tmp_path / "balancer", cluster.front, cluster.nodes) as balancer:
        yield balancer


@pytest.mark.parametrize("kind", [stock_clients.Certbot, stock_clients.Lego],
                         ids=lambda kind: kind.name)
def test_a_stock_client_through_a_balancer(cluster, balancer, challenges, tmp_path, kind):
    client = kind(tmp_path, cluster.front, challenges)
    name = f"{kind.name}.{balancer.name}.test"
    file = client.obtain([name], "http-01")
    first = x509.load_pem_x509_certificate(file.read_bytes())
    renewed = x509.load_pem_x509_certificate(client.renew().read_bytes())
    assert renewed.serial_number != first.serial_number
    assert ocsp_status(cluster.front, renewed, issuer(cluster)) == "good"
    client.revoke()
    created = [event for node in cluster.nodes for event in chained_lines(node.audit_log)
               if event["event"] == "account-created"]
    assert {event["address"] for event in created} == {"127.0.0.1"}, "not the balancer's"
    for _ in range(2 * len(cluster.nodes)):  # whichever node the balancer asks
        wait_for(lambda: ocsp_status(cluster.front, renewed, issuer(cluster)) == "revoked",
                 SETTLE_DEADLINE, "the responders behind the balancer know of it")
    client.close()


# ---- Revocation ---------------------------------------------------------------------------------
@pytest.mark.alone
def test_a_revocation_at_one_node_is_everywhere_within_its_bound(cluster):
    ca = issuer(cluster)
    for here in cluster.nodes:
        client = cluster.client(here)
        certificate = client.obtain(["revoked.cluster.test"]).certificate
        for node in cluster.nodes:
            assert ocsp_status(node, certificate, ca) == "good"  # and cached from now on
        before = {node: number_of(issuing_crl(cluster, node, certificate))
                  for node in cluster.nodes}
        assert client.revoke(certificate, 1).status == 200
        for node in cluster.nodes:
            wait_for(lambda: ocsp_status(node, certificate, ca) == "revoked", REVOCATION_BOUND,
                     f"{node.name} has dropped the good answer")
        for node in cluster.nodes:
            wait_for(lambda: issuing_crl(cluster, node, certificate).
                     get_revoked_certificate_by_serial_number(certificate.serial_number),
                     3 * REVOCATION_BOUND, f"{node.name} serves a list with it")
            assert number_of(issuing_crl(cluster, node, certificate)) > before[node]
        client.close()


def revoke_all(client, certificates):
    return [client.revoke(each, 4).status for each in certificates]


def test_numbers_of_lists_never_repeat(cluster):
    """Revocations at all nodes at once: one number, one list, and numbers go up at every node."""
    mine = {}
    for node in cluster.nodes:
        client = cluster.client(node)
        mine[client] = [client.obtain([f"list-{number}.cluster.test"]).certificate
                        for number in range(3)]
    certificates = [each for those in mine.values() for each in those]
    seen, ended = {}, threading.Event()

    def watch(node):
        last = 0
        while not ended.is_set():
            crl = issuing_crl(cluster, node, certificates[0])
            number = number_of(crl)
            assert number >= last, f"{node.name} went back from list {last} to {number}"
            octets = crl.public_bytes(DER)
            assert seen.setdefault(number, octets) == octets, f"two lists have number {number}"
            last = number

    with ThreadPoolExecutor(2 * len(cluster.nodes)) as pool:
        watching = [pool.submit(watch, node) for node in cluster.nodes]
        revoking = [pool.submit(revoke_all, client, those)
                    for client, those in mine.items()]
        try:
            assert [each.result() for each in revoking] == [[200] * 3] * len(mine)
            wait_for(lambda: all(
                issuing_crl(cluster, node, each).get_revoked_certificate_by_serial_number(
                    each.serial_number) for node in cluster.nodes for each in certificates),
                SETTLE_DEADLINE, "every node lists every one")
        finally:
            ended.set()
        for each in watching:
            each.result()
    for client in mine:
        client.close()


# ---- Roles --------------------------------------------------------------------------------------
def test_a_responder_apart_answers_and_cannot_sign_certificates(cluster):
    client = cluster.client()
    certificate = client.obtain(["apart.cluster.test"]).certificate
    edge = cluster.join("edge", ("ocsp",))
    try:
        edge.start()
        assert ocsp_status(edge, certificate, issuer(cluster)) == "good"
        assert client.revoke(certificate, 4).status == 200
        wait_for(lambda: ocsp_status(edge, certificate, issuer(cluster)) == "revoked",
                 SETTLE_DEADLINE, "it has heard of the revocation")
        wait_for(lambda: issuing_crl(cluster, edge, certificate).
                 get_revoked_certificate_by_serial_number(certificate.serial_number),
                 SETTLE_DEADLINE, "it serves the list that another node signed")
        assert not accepts(edge.acme_port) and not accepts(edge.admin_port)
        assert not (edge.directory / "tls/key.pem").exists()
        used = {event["purpose"] for event in chained_lines(edge.key_usage_log)
                if event["event"] == "key-use"}
        assert used == {"ocsp"}
        with open(f"/proc/{edge.signer_pid()}/cmdline") as command:
            words = command.read().split("\0")
        assert words[words.index("--role") + 1] == "ocsp", "which holds no key of a CA"
    finally:
        cluster.nodes.remove(edge)
        assert edge.stop() == 0
    client.close()


# ---- Agents -------------------------------------------------------------------------------------
AGENTS = 50


def attested(cluster, attester, number):
    """One agent from its first request to its certificate, each request at the next node."""
    agent = f"w-{number}"
    name = f"{agent}.fleet.{ZONE}"
    client = cluster.client(register=False)
    client.connection.turn = number
    client.register()
    created = client.new_order([name])
    authorization = client.fetch(created.json["authorizations"][0]).json
    challenge, = (each for each in authorization["challenges"] if each["type"] == "agent-attest-01")
    txt = dns01_value(client.key_authorization(challenge["token"]))
    token = attester.token(iss="https://platform.test", sub=agent, pool="fleet", jti=agent,
                           aud=f"{challenge['audience']}#{txt}")
    client.must(challenge["url"], {"fmt": "jwt", "evidence": b64(token.encode())})
    order = client.wait(created.location, lambda each: each["status"] != "pending", 60)
    assert order["status"] == "ready", order
    finalized = client.finalize(order, make_csr([name]))
    if finalized.status != 200:
        raise AcmeError(finalized)
    order = client.wait(created.location, lambda each: each["status"] != "processing", 60)
    assert order["status"] == "valid", order
    chain = client.fetch(order["certificate"]).body
    client.close()
    return x509.load_pem_x509_certificate(chain)


def test_fifty_agents_attest_at_once_over_all_nodes(cluster, tmp_path):
    """None of them is known before: a rule admits each, at whichever node it comes to."""
    attester = Jose(tmp_path / "attester")
    cluster.admin(0, "evidence", "add", "platform", "--format", "jwt", "--issuer",
                  "https://platform.test", "--jwks", attester.jwks_file())
    cluster.admin(1, "rule", "add", "fleet", "--source", "platform", "--claim", "pool=fleet",
                  "--tenant-template", "fleet", "--agent-template", "{sub}", "--sponsor",
                  "team@test.example", "--lifespan", "ephemeral")
    with ThreadPoolExecutor(AGENTS) as pool:
        certificates = list(pool.map(lambda number: attested(cluster, attester, number),
                                     range(AGENTS)))
    assert len({each.serial_number for each in certificates}) == AGENTS
    known = json.loads(cluster.admin(2, "agent", "list", "--tenant", "fleet", "--json").stdout)
    assert {agent["name"] for agent in known} == {f"w-{number}" for number in range(AGENTS)}
    cluster.admin(2, "agent", "suspend", "fleet/*", "--reason", "the end")
    for node in cluster.nodes:
        wait_for(lambda: ocsp_status(node, certificates[-1], issuer(cluster)) == "revoked",
                 SETTLE_DEADLINE, f"{node.name} knows that its agent is suspended")
