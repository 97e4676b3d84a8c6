"""Programs that judge certificates, OCSP answers and CRLs; none of them written here."""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from servers import SETTLE_DEADLINE, fetch, wait_for

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER


def urls_in(certificate):
    """What the certificate says of itself: {"ocsp": ..., "issuer": ..., "crl": ...}."""
    found = {}
    kinds = {x509.AuthorityInformationAccessOID.OCSP: "ocsp",
             x509.AuthorityInformationAccessOID.CA_ISSUERS: "issuer"}
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.AuthorityInformationAccess):
            for access in extension.value:
                found[kinds[access.access_method]] = access.access_location.value
        if isinstance(extension.value, x509.CRLDistributionPoints):
            found["crl"] = extension.value[0].full_name[0].value
    return found


def get(url):
    status, _, body = fetch(url)
    assert status == 200, f"{url}: {status} {body!r}"
    return body


def issuer_of(certificate):
    """The issuing certificate, from where the certificate says it is."""
    return x509.load_der_x509_certificate(get(urls_in(certificate)["issuer"]))


def crl_of(certificate):
    return x509.load_der_x509_crl(get(urls_in(certificate)["crl"]))


def ocsp_response(server, certificate, issuer=None, algorithm=hashes.SHA256()):
    issuer = issuer or issuer_of(certificate)
    request = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, algorithm).build()
    status, _, answer = fetch(f"{server.http_url}/ocsp", request.public_bytes(DER),
                              {"Content-Type": "application/ocsp-request"})
    assert status == 200, status
    return ocsp.load_der_ocsp_response(answer)


def ocsp_status(server, certificate, issuer=None):
    """good, revoked or unknown as python-cryptography reads the answer; or the error's name."""
    response = ocsp_response(server, certificate, issuer)
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        return response.response_status.name.lower()
    return response.certificate_status.name.lower()


def on_crl(certificate):
    found = crl_of(certificate).get_revoked_certificate_by_serial_number(certificate.serial_number)
    return found is not None


class Evidence:
    """One good and one revoked certificate with all that a relying party needs, as files."""

    def __init__(self, directory, server, client):
        self.directory = Path(directory)
        self.server = server
        self.issued = {}
        for name in ("good", "revoked"):
            self.issued[name] = client.obtain([f"{name}.relying.test"])
            self._write(f"{name}.pem", self.issued[name].certificate.public_bytes(PEM))
            self._write(f"{name}-chain.pem", self.issued[name].chain_pem)
            self._write(f"{name}.key", self.issued[name].key.private_bytes(
                PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        self.leaf = self.issued["good"].certificate
        self.issuing = issuer_of(self.leaf)
        self.root = x509.load_pem_x509_certificate(get(f"{server.http_url}/root.pem"))
        answer = client.revoke(self.issued["revoked"].certificate, 1)
        assert answer.status == 200, answer
        wait_for(lambda: on_crl(self.issued["revoked"].certificate), SETTLE_DEADLINE,
                 "the CRL lists it")
        self._write("root.pem", self.root.public_bytes(PEM))
        self._write("issuing.pem", self.issuing.public_bytes(PEM))
        self._write("anchors.pem", self.issuing.public_bytes(PEM) + self.root.public_bytes(PEM))
        self.issuing_crl, self.root_crl = crl_of(self.leaf), crl_of(self.issuing)
        self._write("issuing.crl.der", self.issuing_crl.public_bytes(DER))
        self._write("root.crl.der", self.root_crl.public_bytes(DER))
        self._write("issuing.crl", self.issuing_crl.public_bytes(PEM))
        self._write("root.crl", self.root_crl.public_bytes(PEM))
        self._write("crls.pem", self.issuing_crl.public_bytes(PEM) + self.root_crl.public_bytes(PEM))

    def _write(self, name, octets):
        (self.directory / name).write_bytes(octets)

    def file(self, name):
        return self.directory / name

    def certificate(self, name):
        return self.issued[name].certificate
