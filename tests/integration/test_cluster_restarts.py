"""Nodes that die, are restarted one by one, or lose their database: clients go on."""

import collections
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from acme_client import Client, make_csr
from cluster import BALANCERS, Nginx, RoundRobin
from relying_parties import ocsp_status
from servers import SETTLE_DEADLINE, AgentCa, Solver, fetch, wait_for

pytestmark = [pytest.mark.needs_agentca, pytest.mark.long, pytest.mark.xdist_group("cluster")]

TAKEN_OVER = 13  # seconds until a living node has taken up the work of a dead one
INTENT, ABANDONED = 0, 2


# ---- A node dies --------------------------------------------------------------------------------
class SlowSite:
    """Answers http-01 for one name, but keeps whoever asks first waiting until it is told."""

    def __init__(self, challenges, name):
        self.answers, self.asked = {}, []
        self.first_may_go = threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):  # noqa: N802
                site.asked.append(time.monotonic())
                if len(site.asked) == 1:
                    site.first_may_go.wait(60)
                body = site.answers[self.path.rsplit("/", 1)[1]].encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer(
            (challenges.own_address(name), challenges.http_port), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *arguments: None  # of who left while he waited
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def deploy(self, kind, name, token, key_authorization):
        assert kind == "http-01"
        self.answers[token] = key_authorization

    def close(self):
        self.first_may_go.set()
        self.server.shutdown()
        self.server.server_close()


def test_a_validation_of_a_dead_node_is_taken_over(cluster, challenges):
    victim, *living = cluster.nodes
    name = "slow.cluster.test"
    site = SlowSite(challenges, name)
    client = cluster.client(victim)
    client.solver = site
    created = client.new_order([name])
    authorization = client.fetch(created.json["authorizations"][0]).json
    client.answer(authorization)
    wait_for(lambda: site.asked, SETTLE_DEADLINE, "the validation is under way")
    victim.kill()
    died = time.monotonic()
    client.connection.close()
    client.connection = RoundRobin(living)
    order = client.wait(created.location, lambda each: each["status"] != "pending", 60)
    assert order["status"] == "ready", order
    assert len(site.asked) == 2, "one of the living asked again"
    print(f"asked again {site.asked[1] - died:.1f} s after the kill")
    assert client.finalize(order, make_csr([name])).status == 200
    client.wait(created.location, lambda each: each["status"] == "valid")
    site.close()
    client.close()
    victim.start()


@pytest.mark.alone
def test_work_of_a_dead_node_is_taken_over_within_the_bound(cluster, challenges):
    victim, *living = cluster.nodes
    site = SlowSite(challenges, "bound.cluster.test")
    client = cluster.client(victim)
    client.solver = site
    created = client.new_order(["bound.cluster.test"])
    client.answer(client.fetch(created.json["authorizations"][0]).json)
    wait_for(lambda: site.asked, SETTLE_DEADLINE, "the validation is under way")
    victim.kill()
    wait_for(lambda: len(site.asked) == 2, TAKEN_OVER, "another node asks")
    site.close()
    client.close()
    victim.start()


def test_a_node_that_dies_between_intent_and_certificate_leaves_a_known_serial(cluster):
    """Its signer stands still, so that the certificate is never signed; whoever settles the order
    cannot know that, and revokes the serial."""
    victim, *living = cluster.nodes
    client = cluster.client(victim)
    name = "between.cluster.test"
    created = client.new_order([name])
    client.authorize(created.json)
    signer = victim.signer_pid()
    os.kill(signer, signal.SIGSTOP)
    finalize = threading.Thread(target=expect_loss, args=(client, created.json, name))
    finalize.start()
    intents = f"SELECT encode(serial, 'hex') FROM certificate_record WHERE state = {INTENT}"
    (serial,), = wait_for(lambda: cluster.database.psql(intents), SETTLE_DEADLINE,
                          "the intent is recorded")
    victim.kill()
    finalize.join()
    client.connection.close()
    client.connection = RoundRobin(living)
    order = client.wait(created.location, lambda each: each["status"] != "processing", 60)
    assert order["status"] == "invalid" and "interrupted" in order["error"]["detail"], order
    wait_for(lambda: cluster.database.psql(
        "SELECT state, revoked_at IS NOT NULL FROM certificate_record WHERE serial = "
        f"decode('{serial}', 'hex')") == [[str(ABANDONED), "t"]], SETTLE_DEADLINE,
        "the serial is abandoned, and revoked")
    for node in living:
        wait_for(lambda: lists(node, int(serial, 16)), SETTLE_DEADLINE,
                 f"{node.name} lists the serial")
    assert client.obtain([name]).certificate, "and a new order gets through"
    client.close()
    victim.start()


def expect_loss(client, order, name):
    with pytest.raises(OSError):
        client.finalize(order, make_csr([name]))


def lists(node, serial):
    for file in (node.directory / "crl").glob("*.crl"):
        _, _, body = fetch(f"{node.http_url}/crl/{file.name}")
        if x509.load_der_x509_crl(body).get_revoked_certificate_by_serial_number(serial):
            return True
    return False


# ---- Rolling restart ----------------------------------------------------------------------------
class Load(threading.Thread):
    """Registers, orders, renews and revokes, again and again, and fails at nothing; asks for OCSP
    answers between."""

    def __init__(self, cluster, number):
        super().__init__(daemon=True)
        self.cluster, self.number = cluster, number
        self.done = collections.Counter()
        self.failure = None
        self.halt = threading.Event()
        self.issuer = x509.load_pem_x509_certificate(
            (cluster.nodes[0].directory / "ca/issuing.pem").read_bytes())

    def run(self):
        try:
            while not self.halt.is_set():
                self.once()
        except Exception as error:  # noqa: BLE001: shown by the test
            self.failure = f"{type(error).__name__}: {error}"

    def once(self):
        front = self.cluster.front
        client = Client(front.directory_url, str(front.root_file),
                        solver=Solver(self.cluster.challenges))
        client.register()
        key = ec.generate_private_key(ec.SECP256R1())
        for turn in range(4):
            issued = client.obtain([f"load-{self.number}-{turn}.cluster.test"], certificate_key=key,
                                   deadline=60)
            self.done["certificate"] += 1
            assert ocsp_status(front, issued.certificate, self.issuer) == "good"
            assert client.revoke(issued.certificate, 4).status == 200
            self.done["revocation"] += 1
        client.close()


@pytest.mark.parametrize("kind", BALANCERS, ids=lambda kind: kind.name)
def test_a_rolling_restart_under_load_fails_no_request(cluster, tmp_path, kind):
    loads = [Load(cluster, number) for number in range(3)]
    with kind(tmp_path / "balancer", cluster.front, cluster.nodes):
        for load in loads:
            load.start()
        try:
            for node in cluster.nodes:
                before = [load.done["revocation"] for load in loads]
                assert node.stop() == 0
                node.start()
                wait_for(lambda: any(load.failure for load in loads) or all(
                    load.done["revocation"] > count for load, count in zip(loads, before)),
                    SETTLE_DEADLINE, "clients got on meanwhile")
        finally:
            for load in loads:
                load.halt.set()
            for load in loads:
                load.join(120)
    assert [load.failure for load in loads] == [None] * len(loads)
    print(sum((load.done for load in loads), collections.Counter()))


def test_nginx_is_told_which_nodes_are_not_ready(cluster, tmp_path):
    """A node that hangs accepts connections, as far as the kernel does it alone."""
    victim = cluster.nodes[1]

    def answers():
        try:
            return fetch(cluster.front.directory_url, timeout=3,
                         ca_file=str(cluster.front.root_file))[0] == 200
        except OSError:
            return False

    with Nginx(tmp_path / "balancer", cluster.front, cluster.nodes) as balancer:
        os.kill(victim.program.pid, signal.SIGSTOP)
        try:
            wait_for(lambda: balancer.down("acme") == 1 and balancer.down("publication") == 1,
                     SETTLE_DEADLINE, "nginx-nodes has marked it")
            marked, = (line for line in balancer.nodes["acme"].read_text().splitlines()
                       if " down;" in line)
            assert f"server 127.0.0.1:{victim.acme_port} " in marked
            # nginx has read its file when the last of its old workers has gone.
            wait_for(lambda: all(answers() for _ in range(6)), SETTLE_DEADLINE,
                     "nobody is sent to it any more")
        finally:
            os.kill(victim.program.pid, signal.SIGCONT)
        wait_for(lambda: not balancer.down("acme"), SETTLE_DEADLINE, "it is taken back")


# ---- The database -------------------------------------------------------------------------------
def test_the_database_is_restarted_and_the_nodes_are_not(cluster):
    pids = [node.program.pid for node in cluster.nodes]
    client = cluster.client()
    certificate = client.obtain(["before.cluster.test"]).certificate
    cluster.database.stop()
    for node in cluster.nodes:
        wait_for(lambda: node.ready_body() == "store", SETTLE_DEADLINE,
                 f"{node.name} says what it lacks")
        assert node.health("/healthz")[0] == 200
        answer = client.request("HEAD", client.directory["newNonce"])
        assert answer.status in (200, 503)
        refused = client.post(client.kid, None, nonce=answer.nonce or "x")
        assert refused.status == 503 and refused.headers["Retry-After"], refused
    cluster.database.start()
    for node in cluster.nodes:
        wait_for(node.ready, SETTLE_DEADLINE, f"{node.name} is ready again")
    client.nonces.clear()
    assert client.obtain(["after.cluster.test"]).certificate
    assert [node.program.pid for node in cluster.nodes] == pids
    assert client.revoke(certificate, 4).status == 200
    client.close()


@pytest.fixture
def idle_node(cluster):
    """One that does not run."""
    node = cluster.nodes[-1]
    assert node.stop() == 0
    yield node
    node.start()


def refusal(node, *arguments):
    """What serve says as it ends."""
    done = node.run(*node.serve_command()[1:], *arguments, timeout=120)
    assert done.returncode == 1, (done.returncode, done.stderr)
    said = [line for line in done.stderr.splitlines() if line.startswith("agentca: ")]
    assert len(said) == 1, done.stderr
    return said[0]


def test_a_start_without_a_database_says_so(cluster, idle_node):
    cluster.database.stop()
    try:
        assert "the database cannot be reached" in refusal(idle_node)
    finally:
        cluster.database.start()


def test_a_start_on_a_database_that_is_read_only_says_so(cluster, idle_node):
    read_only = "?options=-c%20default_transaction_read_only%3Don"
    assert "the database cannot be written" in refusal(
        idle_node, "--storage", cluster.storage + read_only)


def test_nodes_are_not_ready_while_the_database_is_read_only(cluster):
    cluster.database.psql("ALTER SYSTEM SET default_transaction_read_only = on")
    cluster.database.psql("SELECT pg_reload_conf()")
    try:
        for node in cluster.nodes:
            wait_for(lambda: node.ready_body() == "store", SETTLE_DEADLINE,
                     f"{node.name} has noticed")
    finally:
        cluster.database.psql("ALTER SYSTEM RESET default_transaction_read_only")
        cluster.database.psql("SELECT pg_reload_conf()")
    for node in cluster.nodes:
        wait_for(node.ready, SETTLE_DEADLINE, f"{node.name} is ready again")


def test_a_password_in_the_uri_is_refused_and_not_repeated(cluster, tmp_path):
    secret = cluster.storage.replace("agentca@", "agentca:hunter2@")
    done = cluster.nodes[0].run("init", "--dir", tmp_path / "new", "--trust-domain", "x.test",
                                "--storage", secret)
    assert done.returncode in (1, 2) and "passfile=" in done.stderr, done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    assert not (tmp_path / "new/agentca.conf").exists()


def test_two_processes_of_one_node_are_refused(cluster):
    assert "another agentca serve runs on" in refusal(cluster.nodes[0])


def test_who_has_another_store_cannot_join(cluster, challenges, tmp_path):
    alone = AgentCa(tmp_path / "alone", challenges)
    done = alone.run("join", "--dir", tmp_path / "second", "--from", alone.directory)
    assert done.returncode == 1 and "PostgreSQL" in done.stderr, done.stderr
    assert not (tmp_path / "second").exists()
