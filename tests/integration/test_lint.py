"""zlint (Go) and pkilint (PyPI) find nothing to say about what the CA signs.

Each is installed below build/ on first use, where its toolchain is; otherwise its tests are skipped.
"""

import json
import os
import shutil
import subprocess
import sys

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from acme_client import Client, b64, make_csr
from agents import Jose, dns_name
from relying_parties import DER, PEM, Evidence, ocsp_response
from servers import ROOT, Solver, dns01_value

# One worker of pytest-xdist: two of them must not install the same program at once.
pytestmark = [pytest.mark.needs_agentca, pytest.mark.long, pytest.mark.xdist_group("lint")]

ZLINT = "github.com/zmap/zlint/v3/cmd/zlint@v3.4.1"  # the last that Debian's Go 1.19 builds
PKILINT = "pkilint==0.13.3"
# What the RFCs ask of every CA; the rules of the public Web PKI are for others.
SOURCES = "RFC5280,RFC5480,RFC5891,Community"
CERTIFICATES = ["leaf", "wildcard", "many", "issuing", "root", "delegate", "tls", "agent"]
# RFC 5280 §4.2.1.6 knows preferred name syntax alone; RFC 6125 §6.4.3 has wildcards, and the
# server's own certificate names what the operator said: localhost.
NAMES_ON_PURPOSE = {"wildcard": "*.lint.test", "tls": "localhost"}
# pkilint's validator of URIs knows no scheme "spiffe".
CODES_ON_PURPOSE = {"agent": "pkix.invalid_uri_syntax"}


def agent_certificate(agentca, client, directory):
    """By agent-attest-01, with a token of Debian's jose."""
    attester = Jose(directory / "attester")
    agentca.cli("evidence", "add", "lint", "--format", "jwt", "--issuer", "https://lint.test",
                "--jwks", attester.jwks_file())
    agentca.cli("agent", "add", "lint/robot", "--sponsor", "lint@lint.test", "--deployment",
                "here", "--scope", "lint:all", "--risk", "medium", "--evidence", "lint sub=robot")
    name = dns_name("lint/robot")
    created = client.new_order([name])
    authorization = client.fetch(created.json["authorizations"][0]).json
    challenge, = (each for each in authorization["challenges"]
                  if each["type"] == "agent-attest-01")
    txt = dns01_value(client.key_authorization(challenge["token"]))
    token = attester.token(iss="https://lint.test", sub="robot",
                           aud=f"{challenge['audience']}#{txt}")
    client.must(challenge["url"], {"fmt": "jwt", "evidence": b64(token.encode())})
    client.wait(created.location, lambda order: order["status"] == "ready")
    order = client.finalize(created.json, make_csr([name])).json
    return x509.load_pem_x509_certificate(client.fetch(order["certificate"]).body)


@pytest.fixture(scope="module")
def specimens(tmp_path_factory, agentca, challenges):
    directory = tmp_path_factory.mktemp("specimens")
    client = Client(agentca.directory_url, str(agentca.root_file), solver=Solver(challenges))
    client.register()
    evidence = Evidence(directory, agentca, client)
    answer = ocsp_response(agentca, evidence.leaf, evidence.issuing)
    served = x509.load_pem_x509_certificate((agentca.directory / "tls/chain.pem").read_bytes())
    wildcard = client.obtain(["*.lint.test", "lint.test"], "dns-01").certificate
    many = client.obtain([f"n{number}.lint.test" for number in range(20)]).certificate
    agent = agent_certificate(agentca, client, directory)
    for name, certificate in zip(CERTIFICATES, (evidence.leaf, wildcard, many, evidence.issuing,
                                                evidence.root, answer.certificates[0], served,
                                                agent)):
        (directory / f"{name}.lint.pem").write_bytes(certificate.public_bytes(PEM))
    (directory / "good.ocsp").write_bytes(answer.public_bytes(DER))
    revoked = ocsp_response(agentca, evidence.certificate("revoked"), evidence.issuing,
                            hashes.SHA1())
    (directory / "revoked.ocsp").write_bytes(revoked.public_bytes(DER))
    client.close()
    return directory


def install(*command, **environment):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          env={**os.environ, **environment}, timeout=600)
    if done.returncode != 0:
        pytest.skip(f"{command[0]} {command[1]} failed: {done.stderr.strip()[-300:]}")


@pytest.fixture(scope="module")
def zlint():
    if shutil.which("go") is None:
        pytest.skip("no Go toolchain to build zlint with")
    folder = ROOT / "build/tools/go"
    if not (folder / "zlint").exists():
        install("go", "install", ZLINT, GOBIN=str(folder), GOFLAGS="-mod=mod")
    return folder / "zlint"


@pytest.fixture(scope="module")
def pkilint():
    folder = ROOT / "build/tools/pkilint"
    if not (folder / "bin/lint_crl").exists():
        install(sys.executable, "-m", "venv", folder)
        install(folder / "bin/pip", "install", "--quiet", PKILINT)
    return folder / "bin"


@pytest.mark.parametrize("name", CERTIFICATES)
def test_zlint(zlint, specimens, name):
    done = subprocess.run([zlint, "-includeSources", SOURCES, specimens / f"{name}.lint.pem"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert len(results) > 100
    bad = {lint: result for lint, result in results.items()
           if result["result"] in ("warn", "error", "fatal")}
    assert bad == {}


def findings(pkilint, program, *arguments):
    done = subprocess.run([pkilint / program, "lint", *arguments, "--severity", "NOTICE", "--format",
                           "JSON"], capture_output=True, text=True)
    assert done.stdout.strip().startswith("{"), done.stderr
    return [(finding["code"], result["node_path"], finding.get("message"))
            for result in json.loads(done.stdout)["results"]
            for finding in result["finding_descriptions"]]


@pytest.mark.parametrize("name", CERTIFICATES)
def test_pkilint_certificate(pkilint, specimens, name):
    allowed = f'Invalid domain name syntax: "{NAMES_ON_PURPOSE.get(name)}"'
    found = findings(pkilint, "lint_pkix_cert", specimens / f"{name}.lint.pem")
    assert [finding for finding in found
            if finding[2] != allowed and finding[0] != CODES_ON_PURPOSE.get(name)] == []


@pytest.mark.parametrize("name, kind", [("issuing", "CRL"), ("root", "ARL")])
def test_pkilint_crl(pkilint, specimens, name, kind):
    assert findings(pkilint, "lint_crl", "-t", kind, "-p", "PKIX",
                    specimens / f"{name}.crl.der") == []


@pytest.mark.parametrize("name", ["good", "revoked"])
def test_pkilint_ocsp_response(pkilint, specimens, name):
    assert findings(pkilint, "lint_ocsp_response", specimens / f"{name}.ocsp") == []


@pytest.mark.parametrize("leaf, issuer", [("leaf", "issuing"), ("delegate", "issuing"),
                                          ("tls", "issuing"), ("agent", "issuing"),
                                          ("issuing", "root")])
def test_pkilint_chain(pkilint, specimens, leaf, issuer):
    assert findings(pkilint, "lint_pkix_signer_signee_cert_chain",
                    specimens / f"{issuer}.lint.pem", specimens / f"{leaf}.lint.pem") == []
