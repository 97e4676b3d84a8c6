"""Many at once: one certificate per order however often it is finalized, and no 5xx."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from acme_client import Client, make_csr
from servers import Solver

CLIENTS, ORDERS = 20, 5


def another(client):
    """A second connection of the same account."""
    twin = Client(client.directory_url, None, client.key, client.solver)
    twin.connection = type(client.connection)(client.connection.origin,
                                              client.connection._http._context)
    twin.kid = client.kid
    return twin


def at_once(*calls):
    """Runs the calls in threads that start together; their results in order."""
    barrier = threading.Barrier(len(calls))

    def run(call):
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@pytest.mark.parametrize("attempt", range(5))
@pytest.mark.parametrize("same_csr", [True, False], ids=["same CSR", "different CSRs"])
def test_two_parallel_finalize_calls_give_one_certificate(client, agentca, attempt, same_csr):
    name = f"finalize-{attempt}-{same_csr}.parallel.test".lower()
    created = client.new_order([name])
    client.authorize(created.json)
    first = make_csr([name], ec.generate_private_key(ec.SECP256R1()))
    second = first if same_csr else make_csr([name], ec.generate_private_key(ec.SECP256R1()))
    twins = [another(client), another(client)]
    for twin in twins:
        twin.nonces.append(twin.nonce())  # both connections are open and have a nonce
    answers = at_once(lambda: twins[0].finalize(created.json, first),
                      lambda: twins[1].finalize(created.json, second))
    statuses = sorted(answer.status for answer in answers)
    # RFC 8555 §7.4: the one that came second finds the order processing or valid, not ready.
    assert statuses in ([200, 200], [200, 403]), [a.body for a in answers]
    if statuses == [200, 403]:
        assert {a.problem for a in answers} == {"", "orderNotReady"}
    order = client.wait(created.location, lambda o: o["status"] != "processing")
    assert order["status"] == "valid"
    assert len({client.fetch(order["certificate"]).body for _ in range(2)}) == 1
    for twin in twins:
        twin.close()
    if hasattr(agentca, "database"):
        listed = agentca.json("cert", "list", "--name", name)
        assert [c["state"] for c in listed] == ["valid"], listed


def test_twenty_clients_with_five_orders_each_get_a_hundred_serials(agentca, challenges):
    answered = []

    class Watched(Client):
        def request(self, *arguments, **named):
            response = super().request(*arguments, **named)
            answered.append(response.status)
            return response

    def one(number):
        client = Watched(agentca.directory_url, str(agentca.root_file), solver=Solver(challenges),
                         timeout=60)
        client.register()
        serials = [client.obtain([f"n{number}-{order}.many.test"], deadline=60).serial
                   for order in range(ORDERS)]
        client.close()
        return serials

    results = at_once(*[lambda n=n: one(n) for n in range(CLIENTS)])
    serials = [serial for result in results for serial in result]
    assert len(serials) == len(set(serials)) == CLIENTS * ORDERS
    assert [status for status in answered if status >= 500] == []


def test_parallel_revocations_of_one_certificate_succeed_once(client):
    issued = client.obtain(["revoke.parallel.test"])
    twins = [another(client) for _ in range(4)]
    for twin in twins:
        twin.nonces.append(twin.nonce())
    answers = at_once(*[lambda t=t: t.revoke(issued.certificate) for t in twins])
    assert sorted(a.status for a in answers) == [200, 400, 400, 400]
    assert {a.problem for a in answers if a.status == 400} == {"alreadyRevoked"}
    for twin in twins:
        twin.close()
