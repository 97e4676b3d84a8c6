"""A small RFC 8555 client whose every octet the tests can choose.

Client has the protocol's verbs (register, new_order, ...) for tests about something else, and the
layers under them (sign, post_jws, request) for tests that send what no honest client would send.
One Client holds one keep-alive connection and belongs to one thread.
"""

import base64
import hashlib
import http.client
import json
import ssl
import time
import urllib.parse
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

JOSE = "application/jose+json"


def b64(octets):
    """base64url without padding (RFC 8555 §6.1)."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


# ---- Keys ---------------------------------------------------------------------------------------
class Key:
    """A private key with its JWS algorithm: ES256, ES384, EdDSA or RS256."""

    def __init__(self, private, alg):
        self.private = private
        self.alg = alg

    @classmethod
    def generate(cls, alg="ES256", bits=2048):
        if alg == "ES256":
            return cls(ec.generate_private_key(ec.SECP256R1()), alg)
        if alg == "ES384":
            return cls(ec.generate_private_key(ec.SECP384R1()), alg)
        if alg == "EdDSA":
            return cls(ed25519.Ed25519PrivateKey.generate(), alg)
        if alg == "RS256":
            return cls(rsa.generate_private_key(65537, bits), alg)
        raise ValueError(alg)

    @property
    def jwk(self):
        public = self.private.public_key()
        if self.alg == "EdDSA":
            raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            return {"crv": "Ed25519", "kty": "OKP", "x": b64(raw)}
        numbers = public.public_numbers()
        if self.alg == "RS256":
            size = (numbers.n.bit_length() + 7) // 8
            return {"e": b64(numbers.e.to_bytes(3, "big")), "kty": "RSA",
                    "n": b64(numbers.n.to_bytes(size, "big"))}
        size = public.curve.key_size // 8
        return {"crv": f"P-{public.curve.key_size}", "kty": "EC",
                "x": b64(numbers.x.to_bytes(size, "big")),
                "y": b64(numbers.y.to_bytes(size, "big"))}

    @property
    def thumbprint(self):
        """RFC 7638: members in lexical order, no white space."""
        return b64(hashlib.sha256(json.dumps(self.jwk, sort_keys=True, separators=(",", ":"))
                                  .encode()).digest())

    def sign(self, message):
        if self.alg == "EdDSA":
            return self.private.sign(message)
        if self.alg == "RS256":
            return self.private.sign(message, padding.PKCS1v15(), hashes.SHA256())
        digest = hashes.SHA256() if self.alg == "ES256" else hashes.SHA384()
        r, s = utils.decode_dss_signature(self.private.sign(message, ec.ECDSA(digest)))
        size = self.private.curve.key_size // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    def pem(self):
        return self.private.private_bytes(serialization.Encoding.PEM,
                                          serialization.PrivateFormat.PKCS8,
                                          serialization.NoEncryption())


def make_csr(names, key=None, *, subject="", extensions=(), digest=hashes.SHA256()):
    """DER of a PKCS#10 request with a dNSName for each of `names`; `extensions`: (value, critical)."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    attributes = [x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)] if subject else []
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(attributes))
    if names:
        san = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(san, critical=False)
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        digest = None
    return builder.sign(key, digest).public_bytes(serialization.Encoding.DER)


# ---- Transport ----------------------------------------------------------------------------------
@dataclass
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: bytes
    sent: bytes = field(default=b"", repr=False)

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def location(self):
        return self.headers["Location"]

    @property
    def nonce(self):
        return self.headers["Replay-Nonce"]

    @property
    def content_type(self):
        return (self.headers["Content-Type"] or "").split(";")[0].strip()

    @property
    def problem(self):
        """The problem's type without the ACME URN prefix; "" when this is no problem document."""
        if self.content_type != "application/problem+json":
            return ""
        return self.json.get("type", "").removeprefix("urn:ietf:params:acme:error:")

    def links(self, relation):
        found = []
        for header in self.headers.get_all("Link") or []:
            for part in header.split(","):
                target, *parameters = part.split(";")
                if f'rel="{relation}"' in [p.strip() for p in parameters]:
                    found.append(target.strip()[1:-1])
        return found


class AcmeError(Exception):
    def __init__(self, response):
        super().__init__(f"{response.status} {response.body[:2000]!r}")
        self.response = response


class Connection:
    """One keep-alive connection to one origin. Reconnects when the server closed an idle one."""

    def __init__(self, origin, context, timeout=30):
        self.origin = origin
        url = urllib.parse.urlsplit(origin)
        if url.scheme == "https":
            self._http = http.client.HTTPSConnection(url.hostname, url.port, timeout=timeout,
                                                     context=context)
        else:
            self._http = http.client.HTTPConnection(url.hostname, url.port, timeout=timeout)

    def request(self, method, target, body=None, headers=None):
        reused = self._http.sock is not None
        try:
            return self._exchange(method, target, body, headers)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self.close()
            if not reused:
                raise
            return self._exchange(method, target, body, headers)
        except Exception:
            self.close()
            raise

    def _exchange(self, method, target, body, headers):
        self._http.request(method, target, body, headers or {})
        reply = self._http.getresponse()
        return Response(reply.status, reply.headers, reply.read(), body or b"")

    def close(self):
        self._http.close()


# ---- Protocol -----------------------------------------------------------------------------------
class Client:
    """An ACME account's view of one server. `solver` puts challenge answers up: see Solver in
    servers.py. No verb retries, except for waiting on a condition with a deadline."""

    def __init__(self, directory_url, ca_file=None, key=None, solver=None, timeout=30):
        self.directory_url = directory_url
        self.key = key or Key.generate()
        self.kid = None
        self.solver = solver
        context = ssl.create_default_context(cafile=ca_file)
        split = urllib.parse.urlsplit(directory_url)
        self.connection = Connection(f"{split.scheme}://{split.netloc}", context, timeout)
        self.nonces = []
        self._directory = None

    def close(self):
        self.connection.close()

    # -- plain requests --
    def request(self, method, url, body=None, headers=None):
        """One HTTP request; keeps the nonce of the answer. Never raises for a status."""
        split = urllib.parse.urlsplit(url)
        target = split.path + (f"?{split.query}" if split.query else "")
        response = self.connection.request(method, target, body, headers)
        if response.nonce:
            self.nonces.append(response.nonce)
        return response

    def get(self, url, **headers):
        return self.request("GET", url, headers=headers)

    @property
    def directory(self):
        if self._directory is None:
            self._directory = self.get(self.directory_url).json
        return self._directory

    def nonce(self):
        if not self.nonces:
            self.request("HEAD", self.directory["newNonce"])
        return self.nonces.pop()

    # -- signed requests --
    def protected(self, url, /, **changes):
        """The protected header for `url`; a change to None removes the member."""
        header = {"alg": self.key.alg, "nonce": self.nonce() if "nonce" not in changes else None,
                  "url": url}
        header.update({"kid": self.kid} if self.kid else {"jwk": self.key.jwk})
        header.update(changes)
        return {name: value for name, value in header.items() if value is not None}

    @staticmethod
    def sign(key, protected, payload):
        """Flattened JWS. `payload`: None for "" (POST-as-GET), octets as they are, else JSON."""
        octets = b"" if payload is None else payload if isinstance(payload, bytes) \
            else compact(payload)
        head, body = b64(compact(protected)), b64(octets)
        return {"protected": head, "payload": body,
                "signature": b64(key.sign(f"{head}.{body}".encode()))}

    def post_raw(self, url, octets, content_type=JOSE):
        return self.request("POST", url, octets, {"Content-Type": content_type})

    def post_jws(self, url, jws, content_type=JOSE):
        return self.post_raw(url, compact(jws), content_type)

    def post(self, url, /, payload=None, key=None, **protected):
        """Signs and sends; whatever comes back. Keyword arguments change the protected header."""
        header = self.protected(url, **protected)
        return self.post_jws(url, self.sign(key or self.key, header, payload))

    def must(self, url, /, payload=None, **protected):
        """post, but an answer outside 2xx raises AcmeError."""
        response = self.post(url, payload, **protected)
        if response.status // 100 != 2:
            raise AcmeError(response)
        return response

    # -- verbs --
    def register(self, contact=(), **members):
        payload = {"termsOfServiceAgreed": True, **members}
        if contact:
            payload["contact"] = list(contact)
        response = self.must(self.directory["newAccount"], payload)
        self.kid = response.location
        return response

    def new_order(self, names, **members):
        """Names of type dns, or ready-made identifier objects."""
        identifiers = [name if isinstance(name, dict) else {"type": "dns", "value": name}
                       for name in names]
        return self.must(self.directory["newOrder"], {"identifiers": identifiers, **members})

    def fetch(self, url):
        return self.must(url, None)

    def wait(self, url, settled, deadline=30):
        """Polls `url` until settled(object), and returns the object."""
        end = time.monotonic() + deadline
        pause = 0.002
        while True:
            state = self.fetch(url).json
            if settled(state):
                return state
            if time.monotonic() > end:
                raise TimeoutError(f"{url} still {state} after {deadline} s")
            time.sleep(pause)
            pause = min(pause * 2, 0.25)

    def key_authorization(self, token):
        return f"{token}.{self.key.thumbprint}"

    def answer(self, authorization, kind="http-01"):
        """Puts the answer up and says so. Returns the challenge object."""
        challenge = next(c for c in authorization["challenges"] if c["type"] == kind)
        self.solver.deploy(kind, authorization["identifier"]["value"], challenge["token"],
                           self.key_authorization(challenge["token"]))
        return self.must(challenge["url"], {}).json

    def authorize(self, order, kind="http-01", deadline=30):
        """Solves every pending authorization of an order object; raises unless all become valid."""
        for url in order["authorizations"]:
            authorization = self.fetch(url).json
            if authorization["status"] == "pending":
                self.answer(authorization, kind)
                authorization = self.wait(url, lambda a: a["status"] != "pending", deadline)
            if authorization["status"] != "valid":
                raise AssertionError(f"authorization is {authorization}")

    def finalize(self, order, csr):
        return self.post(order["finalize"], {"csr": b64(csr)})

    def obtain(self, names, kind="http-01", certificate_key=None, csr=None, deadline=30):
        """new-order to download. Returns Issued."""
        created = self.new_order(names)
        order, url = created.json, created.location
        self.authorize(order, kind, deadline)
        certificate_key = certificate_key or ec.generate_private_key(ec.SECP256R1())
        finalized = self.finalize(order, csr or make_csr(names, certificate_key))
        if finalized.status != 200:
            raise AcmeError(finalized)
        order = self.wait(url, lambda o: o["status"] != "processing", deadline)
        if order["status"] != "valid":
            raise AssertionError(f"order is {order}")
        chain = self.fetch(order["certificate"]).body
        return Issued(url, order, certificate_key, chain)

    def revoke(self, certificate, reason=None, key=None):
        """`key`: a certificate's Key, to sign with it (jwk) in place of the account (kid)."""
        payload = {"certificate": b64(certificate.public_bytes(serialization.Encoding.DER))}
        if reason is not None:
            payload["reason"] = reason
        signed = {"key": key, "kid": None, "jwk": key.jwk, "alg": key.alg} if key else {}
        return self.post(self.directory["revokeCert"], payload, **signed)

    def change_key(self, new_key, **inner_changes):
        """RFC 8555 §7.3.5; on success this client goes on with the new key."""
        url = self.directory["keyChange"]
        header = {"alg": new_key.alg, "jwk": new_key.jwk, "url": url}
        payload = {"account": self.kid, "oldKey": self.key.jwk}
        payload.update(inner_changes)
        response = self.post(url, self.sign(new_key, header, payload))
        if response.status == 200:
            self.key = new_key
        return response


@dataclass
class Issued:
    order_url: str
    order: dict
    key: object
    chain_pem: bytes

    @property
    def chain(self):
        end = b"-----END CERTIFICATE-----\n"
        blocks = [block + end for block in self.chain_pem.split(end) if block.strip()]
        return [x509.load_pem_x509_certificate(block) for block in blocks]

    @property
    def certificate(self):
        return self.chain[0]

    @property
    def serial(self):
        return self.certificate.serial_number
