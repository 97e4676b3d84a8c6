"""OpenSSL, GnuTLS, NSS, nginx, curl, Go, the JDK and python-cryptography agree on good and revoked."""

import base64
import datetime
import os
import shutil
import subprocess
import urllib.parse

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp

from acme_client import Client
from relying_parties import DER, Evidence, ocsp_response, urls_in
from servers import ROOT, SETTLE_DEADLINE, Program, Solver, accepts, fetch, free_port, wait_for

pytestmark = pytest.mark.needs_agentca
BOTH = pytest.mark.parametrize("which", ["good", "revoked"])


@pytest.fixture(scope="module")
def evidence(tmp_path_factory, agentca, challenges):
    client = Client(agentca.directory_url, str(agentca.root_file), solver=Solver(challenges))
    client.register()
    yield Evidence(tmp_path_factory.mktemp("evidence"), agentca, client)
    client.close()


def run(*argv, **named):
    return subprocess.run([str(part) for part in argv], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=120, **named)


def need(program):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


# ---- OpenSSL ------------------------------------------------------------------------------------
@BOTH
def test_openssl_verify_checks_every_crl(evidence, which):
    done = run("openssl", "verify", "-x509_strict", "-crl_check_all", "-CAfile",
               evidence.file("root.pem"), "-untrusted", evidence.file("issuing.pem"), "-CRLfile",
               evidence.file("crls.pem"), "-purpose", "sslserver", evidence.file(f"{which}.pem"))
    said = done.stdout + done.stderr
    if which == "good":
        assert done.returncode == 0, said
    else:
        assert done.returncode != 0 and "error 23" in said and "revoked" in said, said


@BOTH
@pytest.mark.parametrize("hash_name", ["sha1", "sha256"])
@pytest.mark.parametrize("nonce", ["-nonce", "-no_nonce"])
def test_openssl_ocsp_by_post(evidence, which, hash_name, nonce):
    done = run("openssl", "ocsp", f"-{hash_name}", "-issuer", evidence.file("issuing.pem"), "-cert",
               evidence.file(f"{which}.pem"), "-CAfile", evidence.file("root.pem"), "-url",
               urls_in(evidence.leaf)["ocsp"], nonce)
    said = done.stdout + done.stderr
    assert done.returncode == 0 and "Response verify OK" in said, said
    assert f"{which}.pem: {which}" in said, said
    assert "WARNING" not in said, said


@BOTH
@pytest.mark.parametrize("spelling", ["quoted", "plain", "extra slash"])
def test_curl_ocsp_by_get(evidence, tmp_path, which, spelling):
    """The path as RFC 6960 appendix A.1 has it, unescaped, and with the slash that proxies add."""
    run("openssl", "ocsp", "-issuer", evidence.file("issuing.pem"), "-cert",
        evidence.file(f"{which}.pem"), "-no_nonce", "-reqout", tmp_path / "request")
    encoded = base64.b64encode((tmp_path / "request").read_bytes()).decode()
    path = {"quoted": urllib.parse.quote(encoded, safe=""), "plain": encoded,
            "extra slash": "/" + urllib.parse.quote(encoded, safe="")}[spelling]
    done = run("curl", "--silent", "--fail", "--path-as-is", "--dump-header", tmp_path / "head",
               "--output", tmp_path / "answer", f"{urls_in(evidence.leaf)['ocsp']}/{path}")
    assert done.returncode == 0, done
    said = run("openssl", "ocsp", "-issuer", evidence.file("issuing.pem"), "-cert",
               evidence.file(f"{which}.pem"), "-CAfile", evidence.file("root.pem"), "-respin",
               tmp_path / "answer", "-no_nonce")
    assert f"{which}.pem: {which}" in said.stdout and "Response verify OK" in said.stderr, said
    head = (tmp_path / "head").read_text().lower()
    assert "content-type: application/ocsp-response" in head
    for field in ("etag:", "last-modified:", "expires:", "content-length:"):
        assert field in head, head
    for directive in ("max-age=", "public", "no-transform", "must-revalidate"):
        assert directive in head, head


def test_openssl_reads_the_crls(evidence):
    for name, issuer in (("issuing", "issuing"), ("root", "root")):
        done = run("openssl", "crl", "-in", evidence.file(f"{name}.crl"), "-noout", "-verify",
                   "-CAfile", evidence.file(f"{issuer}.pem"), "-crlnumber", "-nextupdate")
        assert done.returncode == 0 and "verify OK" in done.stdout + done.stderr, done


def test_openssl_s_client_trusts_the_server(evidence, agentca, tmp_path):
    (tmp_path / "trust.pem").write_bytes(evidence.file("root.pem").read_bytes() +
                                         evidence.file("crls.pem").read_bytes())
    done = run("openssl", "s_client", "-connect", f"127.0.0.1:{agentca.acme_port}", "-servername",
               "localhost", "-verify_hostname", "localhost", "-CAfile", tmp_path / "trust.pem",
               "-verify_return_error", "-crl_check_all")
    assert "Verify return code: 0 (ok)" in done.stdout, done.stdout + done.stderr


# ---- GnuTLS -------------------------------------------------------------------------------------
@BOTH
@pytest.mark.parametrize("nonce", [["--nonce"], []], ids=["nonce", "no nonce"])
def test_gnutls_ocsptool(evidence, tmp_path, which, nonce):
    need("ocsptool")
    done = run("ocsptool", f"--ask={urls_in(evidence.leaf)['ocsp']}", "--load-cert",
               evidence.file(f"{which}.pem"), "--load-issuer", evidence.file("issuing.pem"),
               "--load-trust", evidence.file("issuing.pem"), *nonce, "--outfile",
               tmp_path / "answer")  # it unlinks its output first: never name a device here
    said = done.stdout + done.stderr
    assert f"Certificate Status: {which}" in said, said
    assert "Verifying OCSP Response: Success" in said, said


@BOTH
def test_gnutls_certtool_with_crl(evidence, which):
    need("certtool")
    done = run("certtool", "--verify", "--infile", evidence.file(f"{which}-chain.pem"),
               "--load-ca-certificate", evidence.file("root.pem"), "--load-crl",
               evidence.file("crls.pem"), "--verify-purpose", "1.3.6.1.5.5.7.3.1",
               "--verify-hostname", f"{which}.relying.test")
    said = done.stdout + done.stderr
    if which == "good":
        assert done.returncode == 0 and "Verified. The certificate is trusted." in said, said
    else:
        assert done.returncode != 0 and "revoked" in said, said


# ---- NSS ----------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def nss(tmp_path_factory, evidence):
    need("vfychain")
    database = tmp_path_factory.mktemp("nss")
    where = ["-d", f"sql:{database}"]
    assert run("certutil", "-N", *where, "--empty-password").returncode == 0
    for name, trust in (("root", "CT,,"), ("issuing", ",,")):
        done = run("certutil", "-A", *where, "-n", name, "-t", trust, "-i",
                   evidence.file(f"{name}.pem"))
        assert done.returncode == 0, done
        done = run("crlutil", "-I", *where, "-i", evidence.file(f"{name}.crl.der"))
        assert done.returncode == 0, done
    return database


@BOTH
@pytest.mark.parametrize("method", ["crl", "ocsp"])
def test_nss_vfychain(evidence, nss, which, method):
    done = run("vfychain", "-d", f"sql:{nss}", "-pp", "-u", "1", "-g", "leaf", "-h",
               "requireFreshInfo", "-m", method, "-s", "failIfNoInfo", "-a",
               evidence.file(f"{which}.pem"), "-a", evidence.file("issuing.pem"))
    said = done.stdout + done.stderr
    if which == "good":
        assert done.returncode == 0 and "Chain is good!" in said, said
    else:
        assert "revoked" in said.lower(), said


# ---- nginx and curl -----------------------------------------------------------------------------
@pytest.fixture
def nginx(tmp_path, evidence):
    """start(which, client_certificates): a TLS server with that certificate; its port."""
    need("nginx")
    started = []

    def start(which, verify_clients=False):
        port = free_port()
        mutual = (f"ssl_client_certificate {evidence.file('anchors.pem')}; ssl_verify_client on; "
                  f"ssl_verify_depth 2; ssl_crl {evidence.file('crls.pem')};"
                  if verify_clients else "")
        (tmp_path / "nginx.conf").write_text(
            f"daemon off; master_process off; pid {tmp_path}/pid; error_log stderr notice;\n"
            "events {}\nhttp { access_log off; "
            + "".join(f"{kind}_temp_path {tmp_path}/{kind}; " for kind in (
                "client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
            + f"\nserver {{ listen 127.0.0.1:{port} ssl; "
            f"ssl_certificate {evidence.file(which)}-chain.pem; "
            f"ssl_certificate_key {evidence.file(which)}.key; "
            f"ssl_trusted_certificate {evidence.file('anchors.pem')}; "
            "ssl_stapling on; ssl_stapling_verify on; "
            f"{mutual} location / {{ return 200 \"hello\\n\"; }} }} }}\n")
        program = Program(["nginx", "-p", tmp_path, "-c", tmp_path / "nginx.conf"],
                          tmp_path / "nginx.log")
        started.append(program)
        wait_for(lambda: accepts(port) or not program.running(), 30, "nginx listens")
        assert program.running(), program.tail()
        return port

    yield start
    for program in started:
        program.stop()


def curl(evidence, which, port, *arguments):
    name = f"{which}.relying.test"
    return run("curl", "--silent", "--show-error", "--cacert", evidence.file("root.pem"),
               "--noproxy", "*", "--resolve", f"{name}:{port}:127.0.0.1", *arguments,
               f"https://{name}:{port}/")


@BOTH
def test_nginx_refuses_a_revoked_client(evidence, nginx, which):
    port = nginx("good", verify_clients=True)
    done = curl(evidence, "good", port, "--cert", evidence.file(f"{which}-chain.pem"), "--key",
                evidence.file(f"{which}.key"), "--write-out", "%{http_code}")
    if which == "good":
        assert done.stdout == "hello\n200", done
    else:
        assert done.stdout.endswith("400") and "SSL certificate error" in done.stdout, done


def test_nginx_refuses_a_client_without_certificate(evidence, nginx):
    port = nginx("good", verify_clients=True)
    assert curl(evidence, "good", port, "--write-out", "%{http_code}").stdout.endswith("400")


@BOTH
def test_curl_refuses_a_revoked_server(evidence, nginx, which):
    port = nginx(which)
    done = curl(evidence, which, port, "--crlfile", evidence.file("crls.pem"))
    if which == "good":
        assert done.stdout == "hello\n", done
    else:
        assert done.returncode == 60 and "revoked" in done.stderr, done


def test_nginx_staples_our_ocsp_answer(evidence, nginx):
    """nginx fetches the answer from the URL in the certificate, verifies it and staples it; curl
    judges it."""
    port = nginx("good")

    def stapled():
        done = curl(evidence, "good", port, "--cert-status")
        return "No OCSP response received" not in done.stderr and done

    done = wait_for(stapled, SETTLE_DEADLINE, "nginx staples", pause=0.1)
    assert done.stdout == "hello\n", done


def test_nginx_sees_that_its_own_certificate_is_revoked(evidence, nginx, tmp_path):
    port = nginx("revoked")
    curl(evidence, "revoked", port, "--cert-status")
    wait_for(lambda: 'certificate status "revoked" in the OCSP response' in
             (tmp_path / "nginx.log").read_text(), SETTLE_DEADLINE, "nginx reads the answer")


# ---- Go and the JDK, where they are installed ---------------------------------------------------
GO = r"""
package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
)

func certificate(file string) *x509.Certificate {
	data, err := os.ReadFile(file)
	if err != nil { panic(err) }
	block, _ := pem.Decode(data)
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil { panic(err) }
	return parsed
}

func main() {
	leaf, issuing, root := certificate(os.Args[1]), certificate(os.Args[2]), certificate(os.Args[3])
	roots, middle := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(root)
	middle.AddCert(issuing)
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: middle, DNSName: os.Args[5],
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	if err != nil { fmt.Println("verify:", err); os.Exit(1) }
	data, err := os.ReadFile(os.Args[4])
	if err != nil { panic(err) }
	crl, err := x509.ParseRevocationList(data)
	if err != nil { fmt.Println("crl:", err); os.Exit(1) }
	if err := crl.CheckSignatureFrom(issuing); err != nil { fmt.Println("crl:", err); os.Exit(1) }
	for _, entry := range crl.RevokedCertificates {
		if entry.SerialNumber.Cmp(leaf.SerialNumber) == 0 { fmt.Println("revoked"); return }
	}
	fmt.Println("good")
}
"""


# One after the other: the first compiles Go's library, where nobody did yet.
@pytest.mark.long
@pytest.mark.xdist_group("go")
@BOTH
def test_go_crypto_x509(evidence, tmp_path, which):
    need("go")
    (tmp_path / "main.go").write_text(GO)
    (tmp_path / "go.mod").write_text("module judge\n\ngo 1.19\n")
    done = run("go", "run", ".", evidence.file(f"{which}.pem"), evidence.file("issuing.pem"),
               evidence.file("root.pem"), evidence.file("issuing.crl.der"),
               f"{which}.relying.test", cwd=tmp_path,
               env={**os.environ, "GOCACHE": str(ROOT / "build/go"), "GOTOOLCHAIN": "local",
                    "GOFLAGS": "-mod=mod"})
    assert done.stdout.strip() == which, done


JAVA = r"""
import java.io.FileInputStream;
import java.net.URI;
import java.security.cert.*;
import java.util.*;

public class Judge {
  public static void main(String[] a) throws Exception {
    CertificateFactory f = CertificateFactory.getInstance("X.509");
    List<Certificate> chain = new ArrayList<>();
    for (int i = 0; i < 2; i++) chain.add(f.generateCertificate(new FileInputStream(a[i])));
    X509Certificate root = (X509Certificate) f.generateCertificate(new FileInputStream(a[2]));
    PKIXParameters p = new PKIXParameters(Set.of(new TrustAnchor(root, null)));
    CertPathValidator v = CertPathValidator.getInstance("PKIX");
    PKIXRevocationChecker r = (PKIXRevocationChecker) v.getRevocationChecker();
    if (a[3].equals("ocsp")) {
      r.setOptions(EnumSet.of(PKIXRevocationChecker.Option.ONLY_END_ENTITY,
                              PKIXRevocationChecker.Option.NO_FALLBACK));
    } else {
      r.setOptions(EnumSet.of(PKIXRevocationChecker.Option.PREFER_CRLS,
                              PKIXRevocationChecker.Option.NO_FALLBACK));
    }
    p.addCertPathChecker(r);
    try {
      v.validate(f.generateCertPath(chain), p);
      System.out.println("good");
    } catch (CertPathValidatorException e) {
      System.out.println(e.getReason() == CertPathValidatorException.BasicReason.REVOKED
          ? "revoked" : "error: " + e);
    }
  }
}
"""


@BOTH
@pytest.mark.parametrize("method", ["crl", "ocsp"])
def test_jdk_pkix(evidence, tmp_path, which, method):
    """The JDK fetches CRLs and OCSP answers itself, from the URLs in the certificates."""
    need("javac")
    (tmp_path / "Judge.java").write_text(JAVA)
    done = run("java", "-Dcom.sun.security.enableCRLDP=true", tmp_path / "Judge.java",
               evidence.file(f"{which}.pem"), evidence.file("issuing.pem"),
               evidence.file("root.pem"), method)
    assert done.stdout.strip() == which, done


# ---- python-cryptography: what the bytes say ----------------------------------------------------
@BOTH
@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256()], ids=lambda a: a.name)
def test_ocsp_answer_says_what_rfc_9919_wants(evidence, agentca, which, algorithm):
    answer = ocsp_response(agentca, evidence.certificate(which), evidence.issuing, algorithm)
    assert answer.certificate_status.name.lower() == which
    assert answer.hash_algorithm.name == algorithm.name
    assert answer.serial_number == evidence.certificate(which).serial_number
    now = datetime.datetime.utcnow()
    assert answer.this_update <= now < answer.next_update
    assert answer.this_update.microsecond == answer.next_update.microsecond == 0
    assert answer.responder_key_hash is not None and answer.responder_name is None
    (delegate,) = answer.certificates
    delegate.public_key()
    usage = delegate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.ExtendedKeyUsageOID.OCSP_SIGNING]
    assert delegate.extensions.get_extension_for_class(x509.OCSPNoCheck)
    assert not urls_in(delegate), "a delegate names no OCSP, CRL or issuer URL"
    evidence.issuing.public_key().verify(delegate.signature, delegate.tbs_certificate_bytes,
                                         ec.ECDSA(delegate.signature_hash_algorithm))
    delegate.public_key().verify(answer.signature, answer.tbs_response_bytes,
                                 ec.ECDSA(answer.signature_hash_algorithm))
    if which == "revoked":
        assert answer.revocation_reason is x509.ReasonFlags.key_compromise
        assert answer.revocation_time <= now


def test_ocsp_nonce_is_echoed(evidence, agentca):
    builder = ocsp.OCSPRequestBuilder().add_certificate(evidence.leaf, evidence.issuing,
                                                        hashes.SHA256())
    nonce = x509.OCSPNonce(b"n" * 32)
    request = builder.add_extension(nonce, critical=False).build()
    body = fetch(f"{agentca.http_url}/ocsp", request.public_bytes(DER),
                 {"Content-Type": "application/ocsp-request"})[2]
    answer = ocsp.load_der_ocsp_response(body)
    assert answer.extensions.get_extension_for_class(x509.OCSPNonce).value == nonce


def test_crls_say_what_rfc_5280_wants(evidence):
    now = datetime.datetime.utcnow()
    for crl, issuer in ((evidence.issuing_crl, evidence.issuing), (evidence.root_crl, evidence.root)):
        assert crl.is_signature_valid(issuer.public_key())
        assert crl.issuer == issuer.subject
        assert crl.last_update <= now < crl.next_update
        assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number > 0
        key_id = crl.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        subject = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        assert key_id.key_identifier == subject.digest
    serial = evidence.certificate("revoked").serial_number
    entry = evidence.issuing_crl.get_revoked_certificate_by_serial_number(serial)
    reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    assert reason is x509.ReasonFlags.key_compromise
    assert evidence.issuing_crl.get_revoked_certificate_by_serial_number(
        evidence.leaf.serial_number) is None


def test_certificate_says_what_rfc_5280_wants(evidence):
    leaf, issuing = evidence.leaf, evidence.issuing
    value = lambda kind: leaf.extensions.get_extension_for_class(kind).value  # noqa: E731
    assert leaf.version is x509.Version.v3
    assert 0 < leaf.serial_number.bit_length() <= 159
    assert leaf.serial_number.bit_length() > 64
    assert list(value(x509.SubjectAlternativeName)) == [x509.DNSName("good.relying.test")]
    constraints = [e for e in leaf.extensions if isinstance(e.value, x509.BasicConstraints)]
    assert not any(c.value.ca for c in constraints)
    assert not value(x509.KeyUsage).key_cert_sign and not value(x509.KeyUsage).crl_sign
    assert value(x509.AuthorityKeyIdentifier).key_identifier == \
        issuing.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert issuing.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    assert set(urls_in(leaf)) == {"ocsp", "issuer", "crl"}
    assert leaf.not_valid_after <= issuing.not_valid_after
