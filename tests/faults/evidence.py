"""What the servers leave behind and say afterwards, read from outside: store, logs, CRLs, OCSP,
orders as every node shows them. checker.py judges it.
"""

import hashlib
import re
import subprocess
import time
from dataclasses import dataclass, field

from cryptography import x509

from crash import chained_lines
from relying_parties import DER, ocsp_status
from servers import fetch

INTENT, ISSUED, ABANDONED = 0, 1, 2
OCSP_SAMPLE = 300  # certificates that nobody revoked; of the others each is asked about
OCSP_UNSEEN = 30   # serials that are revoked and that no client has: abandoned ones


@dataclass
class Evidence:
    records: list = field(default_factory=list)   # rows of certificate_record
    orders: list = field(default_factory=list)    # rows of acme_order
    accounts: list = field(default_factory=list)  # rows of acme_account
    validations: int = 0                          # authorizations still processing
    key_uses: list = field(default_factory=list)  # of every signer: (node, event)
    broken_logs: list = field(default_factory=list)
    crls: dict = field(default_factory=dict)      # node → (number, serials)
    ocsp: dict = field(default_factory=dict)      # (node, serial) → status
    shown: list = field(default_factory=list)     # (node, order URL, status, certificate's DER)
    faults: list = field(default_factory=list)    # ends of processes, words of sanitizers


def read_store(store, evidence):
    evidence.records = store.rows(
        "SELECT serial, state, revoked_at, reference, owner, tbs, der, tbs_offset, tbs_size "
        "FROM certificate_record")
    evidence.orders = store.rows("SELECT id, account, identifiers, finalizing, certificate, error "
                                 "FROM acme_order")
    evidence.accounts = store.rows("SELECT id, status, thumbprint FROM acme_account")
    evidence.validations = len(store.rows(
        "SELECT id FROM acme_authorization WHERE attempt_state = 0 AND deactivated = 0"))


def unsettled(store):
    """Whether anything is still under way: orders, intents, validations."""
    counts = store.rows(
        "SELECT (SELECT count(*) FROM acme_order WHERE finalizing = 1 AND certificate IS NULL AND "
        "error IS NULL) + (SELECT count(*) FROM certificate_status WHERE state = 0) + (SELECT "
        "count(*) FROM acme_authorization WHERE attempt_state = 0 AND deactivated = 0) AS number")
    return counts[0]["number"]


def tbs_of(record):
    if record["tbs"] is not None:
        return record["tbs"]
    return record["der"][record["tbs_offset"]:record["tbs_offset"] + record["tbs_size"]]


def order_of(record):
    """The order that a certificate is for; None for the CA's own certificates."""
    reference = record["reference"]
    return None if reference.startswith("agentca:") else reference or None


def serial_of(record):
    return int.from_bytes(record["serial"], "big")


def read_logs(nodes, evidence):
    for node in nodes:
        try:
            evidence.key_uses += [(node.number, event)
                                  for event in chained_lines(node.key_usage_log)]
            chained_lines(node.audit_log)
        except (AssertionError, OSError, ValueError) as error:
            evidence.broken_logs.append(f"node {node.number}: {error}")
        verdict = node.cli("audit", "verify", check=False)
        if verdict.returncode != 0:
            evidence.broken_logs.append(f"node {node.number}: {verdict.stdout}{verdict.stderr}")


def crl_target(node):
    """Path of the issuing CA's CRL, as its certificates name it."""
    issuing = issuing_certificate(node)
    for file in (node.directory / "crl").glob("*.crl"):
        if x509.load_der_x509_crl(file.read_bytes()).issuer == issuing.subject:
            return f"/crl/{file.name}"
    raise AssertionError("no CRL of the issuing CA")


def issuing_certificate(node):
    return x509.load_pem_x509_certificate((node.directory / "ca/issuing.pem").read_bytes())


def read_crl(node, target, timeout=10):
    """(number, octets' digest, serials) of the CRL that a node serves; ConnectionError."""
    status, _, body = fetch(f"{node.http_url}{target}", timeout=timeout)
    if status != 200:
        raise ConnectionError(f"CRL: {status}")
    crl = x509.load_der_x509_crl(body)
    assert crl.is_signature_valid(issuing_certificate(node).public_key()), "CRL's signature"
    number = crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    return number, hashlib.sha256(body).hexdigest(), {entry.serial_number for entry in crl}


def wait_for_crls(nodes, target, wanted, deadline, evidence):
    """Reads each node's CRL until it lists all that is `wanted`, or the deadline is over."""
    end = time.monotonic() + deadline
    for node in nodes:
        while True:
            try:
                number, _, serials = read_crl(node, target)
                evidence.crls[node.number] = (number, serials)
                if wanted <= serials:
                    break
            except OSError:
                evidence.crls.setdefault(node.number, (0, set()))
            if time.monotonic() > end:
                break
            time.sleep(0.1)


def ask_ocsp(node, certificate, timeout=10):
    """good, revoked or unknown; or the error's name. `certificate`: DER, or as python-cryptography
    has it."""
    if isinstance(certificate, bytes):
        certificate = x509.load_der_x509_certificate(certificate)
    return ocsp_status(node, certificate, issuing_certificate(node))


def ask_ocsp_by_serial(node, serial):
    """As ask_ocsp, of a serial whose certificate nobody has; openssl can ask for those."""
    done = subprocess.run(
        ["openssl", "ocsp", "-issuer", node.directory / "ca/issuing.pem", "-serial",
         f"0x{serial:x}", "-url", f"{node.http_url}/ocsp", "-noverify",
         "-validity_period", "100000"],  # nodes may live in another time
        capture_output=True, text=True, timeout=30)
    found = re.search(rf"^0x{serial:x}: (\w+)", done.stdout, re.MULTILINE)
    return found[1] if found else (done.stdout + done.stderr).strip()


def read_ocsp(nodes, certificates, revoked, chance, evidence):
    """`certificates`: serial → DER; `revoked`: serials, some of which no client has."""
    others = sorted(serial for serial in certificates if serial not in revoked)
    unseen = sorted(serial for serial in revoked if serial not in certificates)
    chance.shuffle(others)
    chance.shuffle(unseen)
    asked = sorted(revoked & certificates.keys()) + others[:OCSP_SAMPLE]
    for node in nodes:
        for serial in asked:
            evidence.ocsp[node.number, serial] = ask_ocsp(node, certificates[serial])
        for serial in unseen[:OCSP_UNSEEN]:
            evidence.ocsp[node.number, serial] = ask_ocsp_by_serial(node, serial)


def read_orders(workers, chance, evidence):
    """Each acknowledged order once more, and its certificate, at a node chosen anew."""
    for worker in workers:
        client = worker.client
        for url in worker.orders:
            client.pinned = chance.randrange(len(client.nodes))
            order = worker.send(url).json
            der = None
            if order["status"] == "valid":
                chain = worker.send(order["certificate"]).body
                der = x509.load_pem_x509_certificate(chain).public_bytes(DER)
            evidence.shown.append((client.pinned, url, order["status"], der))
        client.pinned = None
