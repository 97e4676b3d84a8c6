"""Programs that judge certificates, OCSP answers and CRLs; none of them written here."""

import subprocess
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from servers import fetch


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def issuer_of(server, certificate):
    """The issuing certificate, from the AIA path the server publishes it under."""
    access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    url = next(d.access_location.value for d in access
               if d.access_method == x509.AuthorityInformationAccessOID.CA_ISSUERS)
    status, _, body = fetch(local(server, url))
    assert status == 200, url
    return x509.load_der_x509_certificate(body)


def local(server, url):
    """The URL's path at the server under test, which listens on a port of the test's choice."""
    return server.http_url + "/" + url.split("/", 3)[3]


def ocsp_status(server, certificate, issuer=None):
    """good, revoked or unknown as python-cryptography reads a POST's answer; or the error's name."""
    issuer = issuer or issuer_of(server, certificate)
    request = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA256())
    body = request.build().public_bytes(serialization.Encoding.DER)
    status, _, answer = fetch(f"{server.http_url}/ocsp", body,
                              {"Content-Type": "application/ocsp-request"})
    assert status == 200, status
    response = ocsp.load_der_ocsp_response(answer)
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        return response.response_status.name.lower()
    return response.certificate_status.name.lower()
