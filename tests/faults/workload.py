"""ACME clients that go on whatever happens, each request to another node, and write down what they
were told.

They retry as real clients do (RFC 8555 §6.5: a bad nonce with a fresh one; 5xx and lost connections
after a pause), and some do what no honest client would: finalize twice at once with different keys,
send an accepted request again.
"""

import contextlib
import http.client
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from acme_client import AcmeError, Client, Connection, b64, make_csr
from history import OK, REFUSED, UNKNOWN
from servers import Solver

LOST = (OSError, http.client.HTTPException)
PAUSE = 0.2  # before the next try; a Retry-After of more is cut to PAUSE_LONGEST
PAUSE_LONGEST = 1.0
PATIENCE = 6  # with a node that does not answer
DER = serialization.Encoding.DER


class GaveUp(Exception):
    """Time is over, with the last answer, if any."""


class OneShot(Connection):
    """A lost answer is told, not hidden by sending again: the request may have taken effect."""

    def request(self, method, target, body=None, headers=None):
        try:
            return self._exchange(method, target, body, headers)
        except Exception:
            self.close()
            raise


class RoutedClient(Client):
    """The URLs of one node, the connections of all: each request goes to a node chosen anew, as
    behind a balancer that knows nothing, or through `balancer` if there is one."""

    def __init__(self, nodes, chance, balancer=None, **arguments):
        first = nodes[0]
        super().__init__(first.directory_url, str(first.root_file), timeout=PATIENCE, **arguments)
        self.nodes, self.chance = nodes, chance
        context = self.connection._http._context
        # The balancer comes last: in the history its number is that of the nodes.
        self.connections = [OneShot(each.acme_url, context, PATIENCE)
                            for each in (*nodes, *([balancer] if balancer else []))]
        self.authority = urllib.parse.urlsplit(first.acme_url).netloc
        self.node = 0            # that got the last request
        self.pinned = None       # a node that gets every request, or None
        self.answered = None     # the last request: (url, body, response)

    def close(self):
        for connection in self.connections:
            connection.close()

    def nonce(self):
        if not self.nonces:
            self.request("HEAD", self.directory["newNonce"])
        if not self.nonces:
            raise ConnectionError("no nonce was to be had")
        return self.nonces.pop()

    def request(self, method, url, body=None, headers=None):
        number = self.pinned
        self.node = self.chance.randrange(len(self.connections)) if number is None else number
        split = urllib.parse.urlsplit(url)
        target = split.path + (f"?{split.query}" if split.query else "")
        response = self.connections[self.node].request(
            method, target, body, {"Host": self.authority, **(headers or {})})
        self.answered = (url, body, response)
        if response.nonce:
            self.nonces.append(response.nonce)
        return response


class Worker(threading.Thread):
    """One account that obtains certificates one after the other and revokes some."""

    def __init__(self, name, nodes, challenges, history, chance, balancer=None):
        super().__init__(name=name, daemon=True)
        self.history, self.chance = history, chance
        self.client = RoutedClient(nodes, chance, balancer, solver=Solver(challenges))
        self.nodes = nodes
        self.keys = {}            # order URL → keys of the CSRs that were sent, by their public half
        self.orders = {}          # order URL → name, of each that was acknowledged
        self.certificates = {}    # serial → DER
        self.settled = {}         # order URL → its last object
        self.unexpected = []      # neither the protocol nor a fault explains it
        self.halt = threading.Event()
        self.deadline = None      # time.monotonic() after which nothing is tried again

    def run(self):
        number = 0
        while not self.halt.is_set():
            number += 1
            try:
                if self.client.kid is None or self.chance.random() < 0.05:
                    self.register()
                self.obtain(f"{self.name}-{number}.faults.test")
            except GaveUp:
                pass
            except Exception as error:  # noqa: BLE001: shown by the checker
                self.unexpected.append(f"{self.name}: {error!r}")
                self.halt.wait(PAUSE)

    # -- one request, until it is answered --
    def send(self, url, payload=None, allowed=(), once=False, **protected):
        """The answer, with a status of 2xx or `allowed`, whatever number of tries it takes; then
        `self.lost` says whether one of them may have taken effect unseen. `once`: None when the
        first try did not bring a definite answer."""
        self.directory()
        self.lost = False
        answer = None
        while True:
            pause = PAUSE
            try:
                answer = self.client.post(url, payload, **protected)
            except LOST:
                self.lost = True
                self.client.nonces.clear()
            else:
                if answer.problem == "badNonce":
                    pause = 0
                elif answer.status // 100 == 2 or answer.status in allowed:
                    self.replay_sometimes(answer)
                    return answer
                elif answer.status in (500, 502, 503, 504):
                    self.lost = True
                    pause = min(float(answer.headers["Retry-After"] or PAUSE), PAUSE_LONGEST)
                elif answer.status == 429:
                    pause = PAUSE_LONGEST
                else:
                    raise AcmeError(answer)
            if once and self.lost:
                return None
            self.rest(pause, answer)

    def rest(self, pause, answer=None):
        over = self.deadline is not None and time.monotonic() > self.deadline
        if over or (self.deadline is None and self.halt.wait(pause)):
            raise GaveUp(repr(answer))
        if self.deadline is not None:
            threading.Event().wait(pause)

    def replay_sometimes(self, answer):
        """What was accepted once is sent again, octet for octet, to any node."""
        if answer.status // 100 != 2 or self.chance.random() > 0.05:
            return
        url, body, _ = self.client.answered
        with contextlib.suppress(*LOST):
            response = self.client.post_raw(url, body)
            self.history.add("replay", OK if response.status // 100 == 2 else REFUSED,
                             status=response.status, node=self.client.node, url=url)

    # -- verbs --
    def directory(self):
        while True:
            with contextlib.suppress(*LOST, ValueError):  # an error document has no newNonce
                if "newNonce" in self.client.directory:
                    return self.client.directory
            self.client._directory = None
            self.rest(PAUSE)

    def register(self):
        answer = self.send(self.directory()["newAccount"],
                           {"termsOfServiceAgreed": True}, kid=None, jwk=self.client.key.jwk)
        self.client.kid = answer.location
        self.history.add("account", url=answer.location, key=self.client.key.thumbprint,
                         node=self.client.node)

    def obtain(self, name):
        """A new order, driven to its end."""
        identifiers = [{"type": "dns", "value": name}]
        answer = self.send(self.directory()["newOrder"], {"identifiers": identifiers})
        if self.lost:
            self.history.add("order", UNKNOWN, name=name)
        url = answer.location
        self.orders[url] = name
        self.history.add("order", url=url, name=name, account=self.client.kid,
                         node=self.client.node)
        return self.finish(url)

    def finish(self, url):
        """Drives an order to its end and revokes some of what comes out. The certificate, or
        None."""
        order = self.status(url)
        if order["status"] == "pending":
            self.authorize(order)
            order = self.wait(url, ("pending",))
        if order["status"] == "ready":
            self.finalize(url, order)
            order = self.wait(url, ("processing", "ready"))
        self.settled[url] = order
        if order["status"] != "valid":
            return None
        certificate = self.download(url, order)
        if self.deadline is None and self.chance.random() < 0.4:
            self.revoke(certificate)
        return certificate

    def status(self, url):
        order = self.send(url).json
        self.history.add("status", url=url, status=order["status"],
                         certificate=order.get("certificate"), node=self.client.node)
        return order

    def wait(self, url, states):
        pause = 0.01
        while True:
            order = self.status(url)
            if order["status"] not in states:
                return order
            if order["status"] == "ready":  # finalize was lost before it began
                self.finalize(url, order)
            elif order["status"] == "pending":
                self.authorize(order)
            self.rest(pause)
            pause = min(pause * 2, PAUSE)

    def authorize(self, order):
        for url in order["authorizations"]:
            authorization = self.send(url).json
            if authorization["status"] != "pending":
                continue
            challenge = next(c for c in authorization["challenges"] if c["type"] == "http-01")
            token = challenge["token"]
            self.client.solver.deploy("http-01", authorization["identifier"]["value"], token,
                                      self.client.key_authorization(token))
            # 400: it was begun, or ended, by a request whose answer was lost.
            self.send(challenge["url"], {}, allowed=(400, 409))

    def finalize(self, url, order):
        bodies = [self.csr(url), self.csr(url)]
        if self.chance.random() < 0.1:
            self.race(order["finalize"], bodies)
            return
        answer = self.send(order["finalize"], bodies[0], allowed=(403,), once=True)
        if answer is None or answer.status == 403:  # 403: began already; the order's status tells
            return
        self.history.add("status", url=url, status=answer.json["status"],
                         certificate=answer.json.get("certificate"), node=self.client.node)

    def csr(self, url):
        key = ec.generate_private_key(ec.SECP256R1())
        self.keys.setdefault(url, []).append(public(key.public_key()))
        return {"csr": b64(make_csr([self.orders[url]], key))}

    def race(self, url, bodies):
        """Two requests with different keys at the same time, to any two nodes."""
        twins = []
        for _ in bodies:
            twin = RoutedClient(self.nodes, self.chance, key=self.client.key)
            twin.kid, twin._directory = self.client.kid, self.client._directory
            twins.append(twin)
        with ThreadPoolExecutor(2) as pool, contextlib.suppress(*LOST):
            list(pool.map(lambda pair: pair[0].post(url, pair[1]), zip(twins, bodies)))
        for twin in twins:
            twin.close()

    def download(self, url, order):
        answer = self.send(order["certificate"])
        certificate = x509.load_pem_x509_certificate(answer.body)
        der = certificate.public_bytes(DER)
        self.history.add("certificate", url=url, serial=f"{certificate.serial_number:x}",
                         der=der.hex(), node=self.client.node)
        self.certificates[certificate.serial_number] = der
        if public(certificate.public_key()) not in self.keys.get(url, ()):
            self.unexpected.append(f"{url}: certificate for a key that was never sent")
        return certificate

    def revoke(self, certificate):
        payload = {"certificate": b64(certificate.public_bytes(DER)), "reason": 4}
        serial = f"{certificate.serial_number:x}"
        self.history.add("revoke", UNKNOWN, serial=serial)  # whatever follows, it may be revoked
        answer = self.send(self.directory()["revokeCert"], payload, allowed=(400,))
        if answer.status == 200 or answer.problem == "alreadyRevoked":
            self.history.add("revoke", serial=serial, node=self.client.node)
        else:
            self.unexpected.append(f"revocation of {serial}: {answer.body!r}")

    # -- afterwards --
    def settle(self, deadline):
        """Comes back to every order that was acknowledged; what cannot be brought to an end by
        `deadline` (time.monotonic()) has no entry in `settled`."""
        self.deadline = deadline
        self.client.close()
        self.client.nonces.clear()
        for url in self.orders:
            if url in self.settled:
                continue
            try:
                self.finish(url)
            except GaveUp:
                return


def public(key):
    return key.public_bytes(DER, serialization.PublicFormat.SubjectPublicKeyInfo)
