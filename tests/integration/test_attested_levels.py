"""Each level of evidence, made by software that nobody here wrote: a certificate of that level is
issued, and the next weaker evidence is refused."""

import hashlib
import json
import os
import subprocess
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import agents
from acme_client import Client, b64, make_csr, unb64
from agents import Jose, World, dns_name
from servers import Program, dns01_value, wait_for

pytestmark = pytest.mark.needs_agentca

CLASSES = {1: {}, 2: {"risk": "medium"}, 3: {"risk": "high"},
           4: {"risk": "high", "access": "high"}}
LIFETIME = {1: 3600, 2: 3600, 3: 900, 4: 900}  # ephemeral


@pytest.fixture(scope="module")
def issuer(tmp_path_factory):
    issuer = agents.Issuer(tmp_path_factory.mktemp("issuer"))
    yield issuer
    issuer.stop()


@pytest.fixture(scope="module")
def world(tmp_path_factory, challenges, issuer):
    world = World(tmp_path_factory.mktemp("levels"), challenges, issuer)
    world.add_source("bearer", "--format", "jwt", "--issuer", issuer.url, "--jwks",
                     f"{issuer.url}/jwks", "--jwks-ca", issuer.ca_file, "--fixed-audience",
                     "agentca")
    yield world
    assert world.stop() == 0


class Order:
    """One pending order of a new account, and its agent-attest-01 challenge."""

    def __init__(self, world, agent):
        self.client = Client(world.directory_url, str(world.root_file))
        self.client.register()
        self.name = dns_name(agent)
        created = self.client.new_order([self.name])
        self.object, self.url = created.json, created.location
        authorization = self.client.fetch(self.object["authorizations"][0]).json
        self.challenge, = (each for each in authorization["challenges"]
                           if each["type"] == "agent-attest-01")
        self.txt = dns01_value(self.client.key_authorization(self.challenge["token"]))

    @property
    def audience(self):
        return f"{self.challenge['audience']}#{self.txt}"

    def respond(self, fmt, evidence, **members):
        octets = evidence if isinstance(evidence, bytes) else evidence.encode()
        self.client.must(self.challenge["url"],
                         {"fmt": fmt, "evidence": b64(octets), **members})
        return self.client.wait(self.url, lambda order: order["status"] != "pending")

    def finalize(self, csr=None):
        return self.client.finalize(self.object, csr or make_csr([self.name]))

    def certificate(self):
        order = self.client.wait(self.url, lambda o: o["status"] not in ("ready", "processing"))
        assert order["status"] == "valid", order
        return x509.load_pem_x509_certificate(self.client.fetch(order["certificate"]).body)


def policy_of(certificate):
    policies = certificate.extensions.get_extension_for_class(x509.CertificatePolicies).value
    return [policy.policy_identifier.dotted_string for policy in policies]


def expect_level(certificate, level):
    assert policy_of(certificate) == [f"1.3.6.1.4.1.32473.1.2.{level}"]
    life = certificate.not_valid_after - certificate.not_valid_before
    assert LIFETIME[level] <= life.total_seconds() + 1 <= LIFETIME[level] + 3600  # and backdating


def expect_refusal(order, error, *words):
    assert order["status"] == "invalid"
    problem = order["error"]
    assert problem["type"].endswith(error), problem
    for word in words:
        assert word in json.dumps(problem), problem


def register(world, agent, level, source="platform", claims=None):
    world.add_agent(agent, source=source, claims=claims, **CLASSES[level])


def spki_of(key):
    return key.public_key().public_bytes(serialization.Encoding.DER,
                                         serialization.PublicFormat.SubjectPublicKeyInfo)


# ---- L1 -----------------------------------------------------------------------------------------
def bearer(issuer, agent, **claims):
    return issuer.token(sub=agent, aud="agentca", jti=os.urandom(8).hex(), **claims)


def test_level_1_a_bearer_token_suffices_for_a_low_class(world, issuer):
    register(world, "one/robot", 1, "bearer")
    order = Order(world, "one/robot")
    assert order.respond("jwt", bearer(issuer, "one/robot"))["status"] == "ready"
    order.finalize()
    expect_level(order.certificate(), 1)


def test_level_1_a_token_for_nobody_of_ours_is_refused(world, issuer):
    register(world, "one/weak", 1, "bearer")
    token = issuer.token(sub="one/weak", aud="another", jti="x")
    expect_refusal(Order(world, "one/weak").respond("jwt", token), "badAttestationStatement",
                   "foreign audience")


def test_level_1_a_bearer_token_counts_once(world, issuer):
    register(world, "one/replayed", 1, "bearer")
    token = bearer(issuer, "one/replayed")
    assert Order(world, "one/replayed").respond("jwt", token)["status"] == "ready"
    expect_refusal(Order(world, "one/replayed").respond("jwt", token), "badAttestationStatement",
                   "replayed")


def test_level_1_an_old_bearer_token_is_refused(world, issuer):
    register(world, "one/old", 1, "bearer")
    token = bearer(issuer, "one/old", iat=int(time.time()) - 600)
    expect_refusal(Order(world, "one/old").respond("jwt", token), "badAttestationStatement",
                   "expired")


# ---- L2 -----------------------------------------------------------------------------------------
def test_level_2_a_fresh_token_suffices_for_a_medium_class(world, issuer):
    register(world, "two/robot", 2)
    order = Order(world, "two/robot")
    token = issuer.token(sub="two/robot", aud=order.audience)
    assert order.respond("jwt", token)["status"] == "ready"
    order.finalize()
    expect_level(order.certificate(), 2)


def test_level_2_a_bearer_token_is_refused(world, issuer):
    register(world, "two/weak", 2, "bearer")
    expect_refusal(Order(world, "two/weak").respond("jwt", bearer(issuer, "two/weak")),
                   "unauthorized", "level 2", "level 1")


def test_level_2_a_token_for_another_challenge_is_refused(world, issuer):
    register(world, "two/relayed", 2)
    honest = Order(world, "two/relayed")
    token = issuer.token(sub="two/relayed", aud=honest.audience)
    expect_refusal(Order(world, "two/relayed").respond("jwt", token), "badAttestationStatement",
                   "stale nonce")
    assert honest.respond("jwt", token)["status"] == "ready", "the honest one is not in its way"


# ---- L3 -----------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def attester(tmp_path_factory, world):
    attester = Jose(tmp_path_factory.mktemp("attester"))
    world.add_source("builder", "--format", "statement", "--jwks", attester.jwks_file())
    return attester


def thumbprint(key):
    numbers = key.public_key().public_numbers()
    jwk = {"crv": "P-256", "kty": "EC", "x": b64(numbers.x.to_bytes(32, "big")),
           "y": b64(numbers.y.to_bytes(32, "big"))}
    return b64(hashlib.sha256(json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode())
               .digest())


def statement(attester, order, **claims):
    now = int(time.time())
    return attester.sign({"sub": "three/robot", "nonce": order.txt, "iat": now, "exp": now + 120,
                          **claims}, typ="agent-statement+jwt")


def pop(key, order):
    message = b"agent-attest-01\0" + unb64(order.txt) + hashlib.sha256(spki_of(key)).digest()
    return b64(key.sign(message, ec.ECDSA(hashes.SHA256())))


def bound(key, order):
    return {"spki": b64(spki_of(key)), "pop": pop(key, order)}


def test_level_3_a_statement_over_the_key_suffices_for_a_high_class(world, attester):
    register(world, "three/robot", 3, "builder", {"sub": "three/robot"})
    order, key = Order(world, "three/robot"), ec.generate_private_key(ec.SECP256R1())
    digest = "ab" * 32
    said = statement(attester, order, cnf={"jkt": thumbprint(key)}, components=[
        {"kind": "image", "hashAlgorithm": "sha256", "digest": digest}])
    assert order.respond("statement", said, **bound(key, order))["status"] == "ready"
    assert order.finalize().problem == "badCSR", "another key than the attested one"
    order.finalize(make_csr([order.name], key))
    certificate = order.certificate()
    expect_level(certificate, 3)
    words = world.ca.cli("cert", "show", f"{certificate.serial_number:x}").stdout
    assert digest in words and "signed" in words


def test_level_3_a_statement_without_the_key_is_refused(world, attester):
    register(world, "three/weak", 3, "builder", {"sub": "three/robot"})
    order = Order(world, "three/weak")
    expect_refusal(order.respond("statement", statement(attester, order)), "unauthorized",
                   "level 3", "level 2")


def test_level_3_a_key_without_its_signature_is_refused(world, attester):
    register(world, "three/thief", 3, "builder", {"sub": "three/robot"})
    order, key = Order(world, "three/thief"), ec.generate_private_key(ec.SECP256R1())
    other = ec.generate_private_key(ec.SECP256R1())
    said = statement(attester, order, cnf={"jkt": thumbprint(key)})
    answer = order.respond("statement", said, spki=b64(spki_of(key)), pop=pop(other, order))
    expect_refusal(answer, "badAttestationStatement", "key mismatch")


# ---- L4 -----------------------------------------------------------------------------------------
class Tpm:
    """swtpm with an attestation key and a certificate key, both persistent, by tpm2-tools."""

    AK, KEY = "0x81010002", "0x81010003"

    def __init__(self, directory):
        state = directory / "state"
        state.mkdir(parents=True)
        path = directory / "tpm"
        self.program = Program(
            ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}", "--flags",
             "not-need-init,startup-clear", "--server", f"type=unixio,path={path}", "--ctrl",
             f"type=unixio,path={path}.ctrl"], directory / "swtpm.log")
        wait_for(path.exists, 30, "swtpm listens")
        self.directory = directory
        self.environment = {"TPM2TOOLS_TCTI": f"swtpm:path={path}",
                            "TPM2OPENSSL_TCTI": f"swtpm:path={path}"}
        self.tool("createek", "-c", "0x81010001", "-G", "ecc", "-u", "ek.pub")
        self.tool("createak", "-C", "0x81010001", "-c", "ak.ctx", "-G", "ecc", "-g", "sha256",
                  "-s", "ecdsa", "-u", "ak.pub")
        self.tool("evictcontrol", "-C", "o", "-c", "ak.ctx", self.AK)
        self.tool("createprimary", "-C", "o", "-G", "ecc", "-c", "srk.ctx")
        self.tool("create", "-C", "srk.ctx", "-G", "ecc", "-u", "key.pub", "-r", "key.priv", "-a",
                  "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign")
        self.tool("load", "-C", "srk.ctx", "-u", "key.pub", "-r", "key.priv", "-c", "key.ctx")
        self.tool("evictcontrol", "-C", "o", "-c", "key.ctx", self.KEY)
        self.tool("readpublic", "-c", self.AK, "-f", "pem", "-o", "ak.pem")

    def run(self, *command):
        done = subprocess.run([str(part) for part in command], cwd=self.directory, text=True,
                              capture_output=True, env={**os.environ, **self.environment})
        assert done.returncode == 0, done.stderr
        return done.stdout

    def tool(self, name, *arguments):
        self.run(f"tpm2_{name}", "-Q", *arguments)
        self.run("tpm2_flushcontext", "-t")  # swtpm has no resource manager

    def jwks_file(self):
        """The attestation key as a JWK Set, by jose and python-cryptography."""
        numbers = serialization.load_pem_public_key(
            (self.directory / "ak.pem").read_bytes()).public_numbers()
        file = self.directory / "ak.jwks"
        file.write_text(json.dumps({"keys": [{
            "kty": "EC", "crv": "P-256", "kid": "ak", "x": b64(numbers.x.to_bytes(32, "big")),
            "y": b64(numbers.y.to_bytes(32, "big"))}]}))
        return file

    def csr(self, name):
        """Signed in the TPM, through OpenSSL's provider for it."""
        file = self.directory / "request.der"
        self.run("openssl", "req", "-new", "-provider", "tpm2", "-provider", "default", "-key",
                 f"handle:{self.KEY}", "-subj", "/", "-addext", f"subjectAltName=DNS:{name}",
                 "-outform", "DER", "-out", file)
        self.run("tpm2_flushcontext", "-t")
        return file.read_bytes()


@pytest.fixture(scope="module")
def tpm(tmp_path_factory, world):
    tpm = Tpm(tmp_path_factory.mktemp("tpm"))
    world.add_source("rack", "--format", "tpm", "--jwks", tpm.jwks_file())
    yield tpm
    tpm.program.stop()


def attest_by_tpm(world, tpm, order, *options):
    done = subprocess.run(
        [world.ca.binary, "attest", "--server", world.directory_url, "--ca-file",
         str(world.root_file), f"--agent={order.name}", f"--txt={order.txt}", "--tpm-ak", tpm.AK,
         "--attester-key-id", "ak", "--tpm-pcrs", "sha256:0,7", *options], text=True,
        capture_output=True, env={**os.environ, **tpm.environment})
    return done


def test_level_4_a_key_in_the_tpm_and_a_human_suffice_for_two_highs(world, tpm):
    register(world, "four/robot", 4, "rack", {"pcr/sha256/7": "00*"})
    order = Order(world, "four/robot")
    done = attest_by_tpm(world, tpm, order, "--tpm-key", tpm.KEY)
    assert done.returncode == 0, done.stderr
    assert "level 4" in done.stdout
    order.client.must(order.challenge["url"], {})
    order.client.wait(order.url, lambda o: o["status"] == "ready")
    waiting = order.finalize(tpm.csr(order.name))
    assert waiting.json["status"] == "processing", waiting.json
    assert waiting.headers["Retry-After"]
    asked, = world.ca.json("approval", "list")
    assert asked["agent"] == "four/robot"
    world.ca.cli("approval", "grant", asked["order"], "--reason", "known")
    expect_level(order.certificate(), 4)


def test_level_4_a_human_may_say_no(world, tpm):
    register(world, "four/denied", 4, "rack", {"pcr/sha256/7": "00*"})
    order = Order(world, "four/denied")
    assert attest_by_tpm(world, tpm, order, "--tpm-key", tpm.KEY).returncode == 0
    order.client.must(order.challenge["url"], {})
    order.client.wait(order.url, lambda o: o["status"] == "ready")
    order.finalize(tpm.csr(order.name))
    asked, = world.ca.json("approval", "list")
    world.ca.cli("approval", "deny", asked["order"], "--reason", "who is this")
    settled = order.client.wait(order.url, lambda o: o["status"] != "processing")
    assert settled["status"] == "invalid" and "denied" in json.dumps(settled["error"])


def test_level_4_a_quote_over_a_key_from_elsewhere_is_refused(world, tpm, tmp_path):
    register(world, "four/weak", 4, "rack", {"pcr/sha256/7": "00*"})
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "key.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()))
    done = attest_by_tpm(world, tpm, Order(world, "four/weak"), "--certificate-key",
                         str(tmp_path / "key.pem"))
    assert done.returncode != 0 and "level 4" in done.stderr and "level 3" in done.stderr


def test_level_4_a_platform_in_another_state_is_refused(world, tpm):
    register(world, "four/changed", 4, "rack", {"pcr/sha256/7": "ff*"})
    done = attest_by_tpm(world, tpm, Order(world, "four/changed"), "--tpm-key", tpm.KEY)
    assert done.returncode != 0 and "pcr/sha256/7" in done.stderr
