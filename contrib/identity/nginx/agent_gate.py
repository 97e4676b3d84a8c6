#!/usr/bin/env python3
"""Says to nginx (auth_request) whether a client certificate is that of an agent who may come in.

GET /check with the PEM, percent-encoded, in X-Client-Certificate:
  204  X-Agent-Spiffe-Id, X-Agent-Level and X-Agent-Identity (base64 of JSON)
  403  the cause is logged to standard error
nginx has verified chain, dates and revocation before; this listens on a Unix socket that nobody but
nginx may open.
"""

import argparse
import base64
import json
import os
import socketserver
import sys
import urllib.parse
from http.server import BaseHTTPRequestHandler
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))

from cryptography import x509  # noqa: E402

from agent_identity import DEFAULT_ARC, agent_identity, spiffe_id  # noqa: E402


def judge(certificate, rules):
    """What the certificate says of its agent; ValueError: why it may not come in."""
    name, identity = spiffe_id(certificate), agent_identity(certificate, rules.arc)
    if name is None or identity is None:
        raise ValueError("not the certificate of an agent")
    tenant, agent = identity["tenant"], identity["agent"]
    if name != f"spiffe://{rules.trust_domain}/t/{tenant}/a/{agent}":
        raise ValueError(f"{name} is not of {rules.trust_domain}, or not the agent of the extension")
    if rules.tenant and tenant not in rules.tenant:
        raise ValueError(f"{name}: tenant {tenant} may not come in")
    if identity["attestation"]["level"] < rules.least_level:
        raise ValueError(f"{name}: evidence of level {identity['attestation']['level']}")
    return name, identity


class Gate(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # noqa: N802, the name that http.server wants
        try:
            pem = urllib.parse.unquote_to_bytes(self.headers.get("X-Client-Certificate", ""))
            name, identity = judge(x509.load_pem_x509_certificate(pem), self.server.rules)
        except ValueError as error:  # of cryptography, too
            print(f"refused: {error}", file=sys.stderr, flush=True)
            self.answer(403, {})
            return
        packed = base64.b64encode(json.dumps(identity).encode()).decode()
        self.answer(204, {"X-Agent-Spiffe-Id": name, "X-Agent-Identity": packed,
                          "X-Agent-Level": str(identity["attestation"]["level"])})

    def answer(self, status, headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        if status != 204:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def address_string(self):
        return "nginx"

    def log_request(self, *arguments):
        pass


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--socket", default="/run/agent-gate/gate.sock")
    parser.add_argument("--trust-domain", required=True)
    parser.add_argument("--arc", default=DEFAULT_ARC)
    parser.add_argument("--least-level", type=int, default=1, help="of evidence, 1 to 4")
    parser.add_argument("--tenant", action="append", help="only this one; may be given several times")
    rules = parser.parse_args()
    Path(rules.socket).unlink(missing_ok=True)
    before = os.umask(0o117)  # the owner and the group, which nginx belongs to
    with Server(rules.socket, Gate) as server:
        os.umask(before)
        server.rules = rules
        server.serve_forever()


if __name__ == "__main__":
    main()
