"""Every way in of agent-attest-01, with stock clients and evidence that others made."""

import json
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography import x509

import agents
import attested_clients
from acme_client import Client, b64, make_csr
from agents import World, dns_name, spiffe_id
from relying_parties import ocsp_status
from servers import ROOT, SETTLE_DEADLINE, dns01_value, wait_for

pytestmark = [pytest.mark.needs_agentca, pytest.mark.long]


@pytest.fixture(scope="module")
def issuer(tmp_path_factory):
    issuer = agents.Issuer(tmp_path_factory.mktemp("issuer"))
    yield issuer
    issuer.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory, challenges, issuer):
    world = World(tmp_path_factory.mktemp("world"), challenges, issuer,
                  serve=["--validation-allow", "127.0.0.0/8"])
    yield world
    assert world.stop() == 0


@pytest.fixture
def make(tmp_path, world, challenges):
    made = []

    def one(kind, conf):
        made.append(kind(tmp_path, world, challenges).prepare(world, conf))
        return made[-1]

    yield one
    for client in made:
        client.close()


def read(file):
    return x509.load_pem_x509_certificate(file.read_bytes())


def names_of(certificate, kind=x509.DNSName):
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return extension.value.get_values_for_type(kind)


def expect_agent(certificate, agent):
    assert names_of(certificate) == [dns_name(agent)]
    assert names_of(certificate, x509.UniformResourceIdentifier) == [spiffe_id(agent)]


def refusal(client, *arguments):
    """What an ACME client says when the hook's CA refuses."""
    with pytest.raises(AssertionError) as refused:
        client.obtain(*arguments)
    return str(refused.value)


@pytest.mark.parametrize("kind", attested_clients.ALL, ids=lambda kind: kind.name)
def test_stock_client_obtains_and_renews_an_agents_certificate(world, make, kind):
    agent = f"stock/{kind.__name__.lower()}"
    name = world.add_agent(agent)
    client = make(kind, world.attest_conf({"sub": agent}, name=f"{kind.__name__}.conf"))
    first = read(client.obtain([name]))
    expect_agent(first, agent)
    second = read(client.renew())
    expect_agent(second, agent)
    assert second.serial_number != first.serial_number
    assert len(world.show_agent(agent)["attestations"]) == 2, "each renewal attests anew"
    client.revoke()
    assert ocsp_status(world.ca, second) == "revoked"


@pytest.mark.parametrize("kind", attested_clients.ALL, ids=lambda kind: kind.name)
def test_stock_client_is_refused_with_the_claim_that_failed(world, make, kind):
    agent = f"refused/{kind.__name__.lower()}"
    name = world.add_agent(agent)
    conf = world.attest_conf({"sub": "somebody/else"}, name=f"{kind.__name__}-wrong.conf")
    said = refusal(make(kind, conf), [name])
    assert "claim" in said and "sub" in said


ACME_SH = """
set -u
_info() { echo "info: $*"; }
_err() { echo "err: $*" >&2; }
_debug() { :; }
_readaccountconf_mutable() { [ ! -e "$SAVED/$1" ] || cat "$SAVED/$1"; }
_saveaccountconf_mutable() { printf %s "$2" >"$SAVED/$1"; }
. "$1"
shift
"$@"
"""


def acme_sh(tmp_path, world, *words, **environment):
    """The dnsapi file under the functions that acme.sh promises one."""
    saved = tmp_path / "account"
    saved.mkdir(exist_ok=True)
    return subprocess.run(
        ["sh", "-c", ACME_SH, "acme.sh", ROOT / "contrib/acme.sh/dns_agentca.sh", *words],
        capture_output=True, text=True, timeout=60,
        env={"PATH": "/usr/bin:/bin", "SAVED": str(saved), **environment})


def new_client(world):
    client = Client(world.directory_url, str(world.root_file))
    client.register()
    return client


def order_for(client, name):
    created = client.new_order([name])
    authorization = client.fetch(created.json["authorizations"][0]).json
    return created, {each["type"]: each for each in authorization["challenges"]}


def txt_value(client, challenge):
    return dns01_value(client.key_authorization(challenge["token"]))


def test_dnsapi_file_answers_for_acme_sh(world, tmp_path):
    name = world.add_agent("stock/acme-sh")
    conf = world.attest_conf({"sub": "stock/acme-sh"}, name="acme-sh.conf")
    client = new_client(world)
    created, challenges = order_for(client, name)
    txt = txt_value(client, challenges["dns-01"])
    done = acme_sh(tmp_path, world, "dns_agentca_add", f"_acme-challenge.{name}", txt,
                   AGENTCA=world.ca.binary, AGENTCA_ATTEST_CONF=str(conf))
    assert done.returncode == 0, done.stderr
    client.must(challenges["dns-01"]["url"], {})
    client.wait(created.location, lambda order: order["status"] == "ready")
    assert client.finalize(created.json, make_csr([name])).json["status"] == "valid"
    # The next run finds what acme.sh saved, as a renewal by cron does.
    created, challenges = order_for(client, name)
    done = acme_sh(tmp_path, world, "dns_agentca_add", f"_acme-challenge.{name}",
                   txt_value(client, challenges["dns-01"]))
    assert done.returncode == 0, done.stderr
    assert acme_sh(tmp_path, world, "dns_agentca_rm", "x", "y").returncode == 0
    client.close()


def test_dnsapi_file_fails_when_the_evidence_is_refused(world, tmp_path):
    name = world.add_agent("stock/acme-sh-wrong")
    conf = world.attest_conf({"sub": "nobody"}, name="acme-sh-wrong.conf")
    client = new_client(world)
    _, challenges = order_for(client, name)
    done = acme_sh(tmp_path, world, "dns_agentca_add", f"_acme-challenge.{name}",
                   txt_value(client, challenges["dns-01"]), AGENTCA=world.ca.binary,
                   AGENTCA_ATTEST_CONF=str(conf))
    assert done.returncode != 0 and "claim" in done.stderr
    client.close()


def test_certificate_key_is_bound_and_another_is_refused(world, tmp_path):
    """L3: the class demands that the evidence covers the key of the certificate."""
    agent = "bound/robot"
    name = world.add_agent(agent, risk="high")
    key = tmp_path / "agent.key"
    subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-out", key], check=True, capture_output=True)
    csr = tmp_path / "agent.csr"
    subprocess.run(["openssl", "req", "-new", "-key", key, "-subj", "/", "-addext",
                    f"subjectAltName=DNS:{name}", "-outform", "DER", "-out", csr], check=True)
    client = new_client(world)
    created, challenges = order_for(client, name)
    assert challenges["agent-attest-01"]["keyBinding"] == "required"
    txt = txt_value(client, challenges["dns-01"])

    unbound = world.attest(world.attest_conf({"sub": agent}, name="unbound.conf"),
                           f"--agent={name}", f"--txt={txt}")
    assert unbound.returncode != 0 and "certificate-key" in unbound.stderr
    bound = world.attest(world.attest_conf({"sub": agent}, f"certificate-key = {key}",
                                           name="bound.conf"), f"--agent={name}", f"--txt={txt}")
    assert bound.returncode == 0, bound.stderr
    assert "level 3" in bound.stdout
    client.must(challenges["dns-01"]["url"], {})
    client.wait(created.location, lambda order: order["status"] == "ready")
    assert client.finalize(created.json, make_csr([name])).problem == "badCSR"
    assert client.finalize(created.json, csr.read_bytes()).json["status"] == "valid"
    client.close()


def test_grant_makes_an_account_that_may_order_its_agents_name_alone(world, make):
    """External Account Binding, by certbot's own options."""
    agent, other = "granted/robot", "granted/other"
    name, foreign = world.add_agent(agent), world.add_agent(other)
    conf = world.attest_conf({"sub": agent}, name="grant.conf")
    done = world.attest(conf, "--grant", f"--agent={name}", "--json")
    assert done.returncode == 0, done.stderr
    grant = json.loads(done.stdout)
    client = make(attested_clients.Certbot, conf)
    binding = ["--eab-kid", grant["kid"], "--eab-hmac-key", grant["hmacKey"]]
    expect_agent(read(client.obtain([name], "p256", *binding)), agent)
    refusal(client, [foreign])
    log = (client.directory / "logs/letsencrypt.log").read_text()
    assert f"the account is bound to agent {agent}" in log


def test_suspension_makes_renewal_fail_and_revokes(world, make):
    agent = "suspended/robot"
    name = world.add_agent(agent)
    client = make(attested_clients.Certbot, world.attest_conf({"sub": agent}, name="susp.conf"))
    certificate = read(client.obtain([name]))
    world.ca.cli("agent", "suspend", agent, "--reason", "a test")
    wait_for(lambda: ocsp_status(world.ca, certificate) == "revoked", SETTLE_DEADLINE,
             "OCSP says revoked")
    with pytest.raises(AssertionError) as refused:
        client.renew()
    assert "suspended" in str(refused.value)
    world.ca.cli("agent", "resume", agent)
    expect_agent(read(client.renew()), agent)


def test_keys_of_the_issuer_out_of_reach_recover(world, tmp_path):
    """A challenge whose JWK Set cannot be fetched stays processing, and becomes valid by itself."""
    issuer = agents.Issuer(tmp_path / "issuer")
    world.add_source("flaky", "--format", "jwt", "--issuer", issuer.url, "--jwks",
                     f"{issuer.url}/jwks", "--jwks-ca", issuer.ca_file)
    agent = "outage/robot"
    name = world.add_agent(agent, source="flaky")
    client = new_client(world)
    created, challenges = order_for(client, name)
    challenge = challenges["agent-attest-01"]
    token = issuer.token(sub=agent,
                         aud=f"{challenge['audience']}#{txt_value(client, challenge)}")
    issuer.program.process.send_signal(signal.SIGSTOP)  # it accepts, and never answers
    client.must(challenge["url"], {"fmt": "jwt", "evidence": b64(token.encode())})
    client.wait(challenge["url"], lambda c: "error" in c)
    stuck = client.fetch(challenge["url"])
    assert stuck.json["status"] == "processing"
    assert stuck.headers["Retry-After"]
    issuer.program.process.send_signal(signal.SIGCONT)
    client.wait(created.location, lambda order: order["status"] == "ready", 120)
    client.close()
    issuer.stop()


def test_fifty_agents_enrol_and_renew_at_once(world):
    """By the hook: nobody fails, and every certificate carries its own agent's SPIFFE ID."""
    names = [f"fleet/robot-{number}" for number in range(50)]
    for agent in names:
        world.add_agent(agent)
    confs = {agent: world.attest_conf({"sub": agent}, name=f"{agent.replace('/', '-')}.conf")
             for agent in names}
    clients = {}

    def enrol(agent):
        client = clients.setdefault(agent, new_client(world))
        name = dns_name(agent)
        created, challenges = order_for(client, name)
        done = world.attest(confs[agent], "--", "add", f"_acme-challenge.{name}",
                            txt_value(client, challenges["dns-01"]))
        assert done.returncode == 0, done.stderr
        client.must(challenges["dns-01"]["url"], {})
        client.wait(created.location, lambda order: order["status"] == "ready", 60)
        order = client.finalize(created.json, make_csr([name])).json
        if order["status"] == "processing":
            order = client.wait(created.location, lambda o: o["status"] != "processing", 60)
        assert order["status"] == "valid", order
        certificate = x509.load_pem_x509_certificate(client.fetch(order["certificate"]).body)
        expect_agent(certificate, agent)
        return certificate.serial_number

    with ThreadPoolExecutor(50) as pool:
        first = list(pool.map(enrol, names))
        second = list(pool.map(enrol, names))
    assert len(set(first + second)) == 100
    for client in clients.values():
        client.close()
