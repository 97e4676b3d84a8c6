"""Debian's ACME clients register, obtain, renew and revoke; what worked goes to clients.md."""

import fcntl
import os
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from conftest import AGAINST_PEBBLE
from relying_parties import ocsp_status
from servers import ROOT
from stock_clients import ALL, Certbot, Dehydrated, Lego, Uacme

COLUMNS = ("register", "http-01", "dns-01", "tls-alpn-01", "wildcard", "P-384", "RSA", "renew",
           "revoke")
TABLE = {"p384": "P-384", "rsa": "RSA"}

pytestmark = pytest.mark.long


class Results:
    """What each client did: "yes", "FAILED", or absent where it cannot. An empty file for each cell
    begun and for each that worked, in a directory that all workers of this run share."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir(exist_ok=True)

    def begin(self, client, *columns):
        for column in columns:
            (self.directory / f"{client}.{column}.begun").touch()

    def worked(self, client, column):
        (self.directory / f"{client}.{column}.worked").touch()

    def cell(self, client, column):
        if (self.directory / f"{client}.{column}.worked").exists():
            return "yes"
        return "FAILED" if (self.directory / f"{client}.{column}.begun").exists() else "–"

    def write(self, file):
        """Each worker does at its end, one after the other: the last one knows all."""
        lines = ["| client | " + " | ".join(COLUMNS) + " |",
                 "| --- " * (len(COLUMNS) + 1) + "|"]
        with (self.directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for kind in ALL:
                row = [self.cell(kind.name, column) for column in COLUMNS]
                lines.append(f"| {kind.name} {version(kind.name)} | " + " | ".join(row) + " |")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("\n".join(lines) + "\n")


def version(package):
    done = subprocess.run(["dpkg-query", "--show", "--showformat", "${Version}", package],
                          capture_output=True, text=True)
    return done.stdout.split("-")[0].split("+")[0]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    own = tmp_path_factory.getbasetemp()
    results = Results((own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "clients")
    yield results
    results.write(Path(os.environ.get("AGENTCA_TABLES", ROOT / "build/tables")) / "clients.md")


@pytest.fixture
def make(tmp_path, agentca, challenges):
    made = []

    def one(kind):
        made.append(kind(tmp_path, agentca, challenges))
        return made[-1]

    yield one
    for client in made:
        client.close()


def read(file):
    return x509.load_pem_x509_certificate(Path(file).read_bytes())


def names_of(certificate):
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return extension.value.get_values_for_type(x509.DNSName)


@pytest.mark.parametrize("kind, challenge",
                         [(kind, challenge) for kind in ALL for challenge in kind.challenges],
                         ids=lambda value: getattr(value, "name", value))
def test_client_obtains_renews_and_revokes(make, results, agentca, kind, challenge):
    client = make(kind)
    name = f"{challenge}.{kind.name}.clients.test"
    results.begin(kind.name, "register", challenge, "renew", "revoke")
    first = read(client.obtain([name], challenge))
    assert names_of(first) == [name]
    results.worked(kind.name, "register")
    results.worked(kind.name, challenge)

    second = read(client.renew())
    assert names_of(second) == [name]
    assert second.serial_number != first.serial_number
    results.worked(kind.name, "renew")

    client.revoke()
    if not AGAINST_PEBBLE:
        assert ocsp_status(agentca, second) == "revoked"
        assert ocsp_status(agentca, first) == "good"
    results.worked(kind.name, "revoke")


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
def test_client_obtains_a_wildcard(make, results, kind):
    base = f"wild.{kind.name}.clients.test"
    results.begin(kind.name, "wildcard")
    certificate = read(make(kind).obtain([f"*.{base}", base], "dns-01"))
    assert sorted(names_of(certificate)) == sorted([f"*.{base}", base])
    results.worked(kind.name, "wildcard")


@pytest.mark.parametrize("key_type", ["p384", "rsa"])
@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
def test_client_obtains_for_another_key_type(make, results, kind, key_type):
    """lego and uacme make their account key of the same type: ES384 and RS256 accounts."""
    results.begin(kind.name, TABLE[key_type])
    certificate = read(make(kind).obtain([f"{key_type}.{kind.name}.clients.test"], "dns-01",
                                         key_type))
    key = certificate.public_key()
    if key_type == "rsa":
        assert isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048
    else:
        assert isinstance(key.curve, ec.SECP384R1)
    results.worked(kind.name, TABLE[key_type])


def test_many_names_in_one_certificate(make):
    names = [f"n{number}.many.clients.test" for number in range(10)]
    certificate = read(make(Lego).obtain(names, "http-01"))
    assert sorted(names_of(certificate)) == sorted(names)


def test_certbot_dry_run_leaves_nothing_behind(make, agentca):
    """certbot --dry-run deactivates the authorizations it obtained."""
    client = make(Certbot)
    name = "dry.certbot.clients.test"
    client.certbot("certonly", "--agree-tos", "--register-unsafely-without-email", "--dry-run",
                   "--standalone", "--http-01-address", client.world.own_address(name),
                   "--http-01-port", client.world.http_port, "-d", name)
    assert not list((client.directory / "config").glob("live/*"))


def test_certbot_updates_and_ends_its_account(make):
    client = make(Certbot)
    client.certbot("register", "--agree-tos", "--register-unsafely-without-email")
    client.certbot("update_account", "--email", "new@example.test", "--no-eff-email")
    client.certbot("unregister")
    assert not list((client.directory / "config/accounts").glob("*/*/*/regr.json"))


def test_dehydrated_and_uacme_end_their_accounts(make):
    uacme = make(Uacme)
    uacme.obtain(["end.uacme.clients.test"], "http-01")
    uacme.uacme("update", "operator@example.test")
    uacme.uacme("newkey")
    uacme.uacme("--force", "issue", "end.uacme.clients.test")
    uacme.uacme("deactivate")
    with pytest.raises(AssertionError):
        uacme.uacme("--force", "issue", "end.uacme.clients.test")


def test_dehydrated_changes_its_contact(make):
    client = make(Dehydrated)
    client.obtain(["contact.dehydrated.clients.test"], "http-01")
    with (client.directory / "config").open("a") as config:
        config.write("CONTACT_EMAIL=operator@example.test\n")
    client.dehydrated("--account")


def test_certificate_for_an_ed25519_key(make, tmp_path):
    """openssl makes the key and request, certbot carries it."""
    client = make(Certbot)
    name = "ed25519.certbot.clients.test"
    subprocess.run(["openssl", "req", "-new", "-newkey", "ed25519", "-nodes", "-subj", "/",
                    "-addext", f"subjectAltName=DNS:{name}", "-keyout", tmp_path / "ed.key",
                    "-outform", "DER", "-out", tmp_path / "ed.csr"],
                   check=True, capture_output=True)
    client.certbot("certonly", "--agree-tos", "--register-unsafely-without-email", "--standalone",
                   "--http-01-address", client.world.own_address(name), "--http-01-port",
                   client.world.http_port, "--csr", tmp_path / "ed.csr", "--fullchain-path",
                   tmp_path / "ed.pem", "--cert-path", tmp_path / "ed-leaf.pem", "--chain-path",
                   tmp_path / "ed-chain.pem")
    assert isinstance(read(tmp_path / "ed.pem").public_key(), ed25519.Ed25519PublicKey)
