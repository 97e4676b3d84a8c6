"""Load that survives its server, and what must hold after any crash."""

import hashlib
import http.client
import json
import threading
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from acme_client import AcmeError, Client, make_csr
from relying_parties import ocsp_status
from servers import SETTLE_DEADLINE, Solver, fetch, wait_for

# What a client sees of a server that was killed under it, or that lost its signer.
INTERRUPTED = (OSError, http.client.HTTPException, AcmeError, AssertionError, TimeoutError)


class Worker(threading.Thread):
    """Orders, finalizes, downloads and revokes every third certificate, until stopped; remembers
    what it was told. An interrupted order is left as it is: settle() comes back to it."""

    def __init__(self, server, challenges, name, finalizing):
        super().__init__(name=name, daemon=True)
        self.finalizing = finalizing  # a semaphore: one release per finalize about to be sent
        self.client = Client(server.directory_url, str(server.root_file), solver=Solver(challenges),
                             timeout=20)
        self.client.register()
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.orders = []        # (url, name) of each order that was acknowledged
        self.certificates = {}  # serial → DER, downloaded
        self.revoked = set()    # serials whose revocation was acknowledged
        self.durations = []     # of undisturbed finalize calls, in seconds
        self.unexpected = []    # what an interruption does not explain
        self.go, self.halt = threading.Event(), threading.Event()
        self.go.set()

    def run(self):
        number = 0
        while not self.halt.is_set():
            self.go.wait(0.2)
            if not self.go.is_set():
                continue
            number += 1
            try:
                self.one(f"{self.name}-{number}.kill.test", number % 3 == 0)
            except INTERRUPTED:
                self.forget_connection()
            except Exception as error:  # noqa: BLE001: shown by the test
                self.unexpected.append(repr(error))

    def forget_connection(self):
        self.client.close()
        self.client.nonces.clear()

    def one(self, name, revoke):
        created = self.client.new_order([name])
        self.orders.append((created.location, name))
        self.client.authorize(created.json, deadline=10)
        issued = self.finish(created.location, name)
        if revoke and issued is not None and self.client.revoke(issued, 4).status == 200:
            self.revoked.add(issued.serial_number)

    def finish(self, url, name):
        order = self.client.fetch(url).json
        self.finalizing.release()
        began = time.monotonic()
        answer = self.client.finalize(order, make_csr([name], self.key))
        if answer.status != 200:
            raise AcmeError(answer)
        self.durations.append(time.monotonic() - began)
        return self.finish_download(url)

    def finish_download(self, url):
        order = self.client.wait(url, lambda o: o["status"] != "processing", 20)
        return self.download(order) if order["status"] == "valid" else None

    def download(self, order):
        chain = self.client.fetch(order["certificate"]).body
        certificate = x509.load_pem_x509_certificate(chain)
        der = certificate.public_bytes(serialization.Encoding.DER)
        known = self.certificates.setdefault(certificate.serial_number, der)
        assert known == der, "one serial, two certificates"
        return certificate

    def settle(self):
        """Brings every order to valid or invalid; {order URL: status}."""
        self.forget_connection()
        found = {}
        for url, name in self.orders:
            order = self.client.wait(url, lambda o: o["status"] != "processing", 30)
            if order["status"] == "pending":
                try:
                    self.client.authorize(order, deadline=30)
                except AssertionError:
                    pass  # its validation failed while the world was ending: the order is invalid
                order = self.client.fetch(url).json
            if order["status"] == "ready":
                self.finish(url, name)
            elif order["status"] == "valid":
                self.download(order)
            found[url] = self.client.fetch(url).json["status"]
        return found


def chained_lines(file):
    """The events of a hash-chained log, after checking the chain with nothing of agentca's."""
    previous, events = "0" * 64, []
    for number, line in enumerate(Path(file).read_bytes().split(b"\n")[:-1]):
        event = json.loads(line)
        assert event["prev"] == previous, f"{file}:{number + 1} does not follow the line before"
        previous = hashlib.sha256(line).hexdigest()
        events.append(event)
    return events


ISSUED, ABANDONED = 1, 2


def records(server):
    """serial → what the database knows of it."""
    with server.database() as database:
        rows = database.execute("SELECT serial, state, revoked_at, reference, tbs, der, tbs_offset, "
                                "tbs_size FROM certificate_record").fetchall()
    found = {}
    for serial, state, revoked_at, reference, tbs, der, offset, size in rows:
        found[int.from_bytes(serial, "big")] = {
            "state": state, "revoked": revoked_at is not None, "reference": reference, "der": der,
            "tbs": tbs if tbs is not None else der[offset:offset + size]}
    return found


def check(server, workers):
    """The promises of issue and design, read from outside: logs, database, OCSP, CRL, ACME."""
    orders = {}
    for worker in workers:
        assert worker.unexpected == []
        orders.update(worker.settle())
    assert set(orders.values()) <= {"valid", "invalid"}, "every order settles"
    known = records(server)
    check_signed_serials(server, known)
    check_certificates(workers, known, orders)
    check_revocations(server, workers, known)
    chained_lines(server.audit_log)
    verdict = server.cli("audit", "verify")
    assert verdict.returncode == 0, verdict.stdout


def check_signed_serials(server, known):
    """Nothing was ever signed whose serial, and exact bytes, the database does not know."""
    signed = [event for event in chained_lines(server.key_usage_log)
              if event["event"] == "key-use" and event["purpose"] == "certificate"]
    serials = [int(event["object"], 16) for event in signed]
    assert len(serials) == len(set(serials)), "a serial was signed twice"
    for event, serial in zip(signed, serials):
        assert serial in known, f"signed, but unknown to the database: {event}"
        assert hashlib.sha256(known[serial]["tbs"]).hexdigest() == event["sha256"], event


def check_certificates(workers, known, orders):
    """What a client got is what the database has; an order has one certificate, or none."""
    for worker in workers:
        for serial, der in worker.certificates.items():
            assert known[serial]["state"] == ISSUED and known[serial]["der"] == der
    by_order = {}
    for serial, record in known.items():
        if record["state"] == ISSUED and record["reference"]:
            assert record["reference"] not in by_order, "an order has two certificates"
            by_order[record["reference"]] = serial
    for url, status in orders.items():
        mine = [r for r in by_order if url.rsplit("/", 1)[1] in r]
        assert len(mine) == (1 if status == "valid" else 0), (url, status, mine)
    assert all(record["state"] in (ISSUED, ABANDONED) for record in known.values()), \
        "an intent was left unsettled"


def check_revocations(server, workers, known):
    """Acknowledged revocations, and every abandoned serial, are revoked in OCSP and CRL."""
    revoked = set().union(*(worker.revoked for worker in workers))
    for serial in revoked:
        assert known[serial]["revoked"], f"revocation of {serial:x} is lost"
    for serial, record in known.items():
        if record["state"] == ABANDONED:
            assert record["revoked"]
    issuing = x509.load_pem_x509_certificate((server.directory / "ca/issuing.pem").read_bytes())
    wanted = revoked | {serial for serial, record in known.items()
                        if record["state"] == ABANDONED and record["reference"]}
    wait_for(lambda: wanted <= {entry.serial_number for entry in published_crl(server, issuing)},
             SETTLE_DEADLINE, "the CRL lists every revoked and abandoned serial")
    for worker in workers:
        for serial, der in worker.certificates.items():
            status = ocsp_status(server, x509.load_der_x509_certificate(der), issuing)
            if serial in revoked:
                assert status == "revoked"
            elif not known[serial]["revoked"]:
                assert status == "good"


def published_crl(server, issuing):
    status, _, body = fetch(crl_url(server))
    assert status == 200
    crl = x509.load_der_x509_crl(body)
    assert crl.is_signature_valid(issuing.public_key())
    return crl


def crl_url(server):
    """The issuing CA's CRL: the one of the two whose issuer is the issuing certificate."""
    issuing = x509.load_pem_x509_certificate((server.directory / "ca/issuing.pem").read_bytes())
    for file in (server.directory / "crl").glob("*.crl"):
        if x509.load_der_x509_crl(file.read_bytes()).issuer == issuing.subject:
            return f"{server.http_url}/crl/{file.name}"
    raise AssertionError("no CRL of the issuing CA")
