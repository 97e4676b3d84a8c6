"""Agents and those who vouch for them: issuers of tokens and signers of statements, made of software
that nobody here wrote (npm's oauth2-mock-server, Debian's jose, openssl)."""

import fcntl
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

import pytest

from servers import HERE, ROOT, START_DEADLINE, AgentCa, Program, fetch, free_port, wait_for

ZONE = "agents.test.example"
OIDC = "oauth2-mock-server@7.2.1"
MODULES = ROOT / "build/node"


def dns_name(agent):
    """acme/robot → robot.acme.agents.test.example"""
    tenant, name = agent.split("/")
    return f"{name}.{tenant}.{ZONE}"


def spiffe_id(agent):
    tenant, name = agent.split("/")
    return f"spiffe://test.example/t/{tenant}/a/{name}"


def install_oidc():
    """Once for all workers of a run, and kept for the next. Where the registry is out of reach, the
    tests that need it are skipped, after one try."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    MODULES.mkdir(parents=True, exist_ok=True)
    failure = MODULES / "failure"
    with (MODULES / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (MODULES / "node_modules/oauth2-mock-server").exists():
            return
        if not failure.exists() or time.time() - failure.stat().st_mtime > 3600:
            failure.write_text(npm_install() or "")
    if failure.read_text():
        pytest.skip(f"npm install {OIDC}: {failure.read_text()}")


def npm_install():
    """What went wrong; None when nothing did."""
    command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-package-lock",
               "--fetch-timeout=20000", "--fetch-retries=1", "--prefix", str(MODULES), OIDC]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        return "no answer in two minutes"
    return None if done.returncode == 0 else done.stderr.strip()[-300:] or "failed"


def make_tls(directory):
    """A self-signed server certificate for this machine: (key file, certificate file)."""
    key, certificate = directory / "tls.key", directory / "tls.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=here",
                    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    return key, certificate


class Issuer:
    """oauth2-mock-server as the OIDC issuer of a platform."""

    def __init__(self, directory):
        install_oidc()
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.key_file, self.ca_file = make_tls(directory)
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.program = None
        self.start()

    def start(self):
        self.program = Program(["node", HERE / "oidc/issuer.js", self.port, self.key_file,
                                self.ca_file], self.directory / "issuer.log",
                               env={**os.environ, "NODE_PATH": str(MODULES / "node_modules")})
        wait_for(self._ready, START_DEADLINE, "the token issuer is ready")

    def _ready(self):
        assert self.program.running(), self.program.tail()
        return "ready" in self.program.tail()

    def token(self, **claims):
        """A JWT with these claims over the usual ones (iss, iat, nbf, exp)."""
        form = {"grant_type": "client_credentials", "claims": json.dumps(claims)}
        status, _, body = fetch(f"{self.url}/token", urllib.parse.urlencode(form).encode(),
                                {"Content-Type": "application/x-www-form-urlencoded"},
                                ca_file=str(self.ca_file))
        assert status == 200, body
        return json.loads(body)["access_token"]

    def stop(self):
        self.program.stop()


# Asks the issuer for a token with the audience that agentca wants: what a workload's agent does.
TOKEN_COMMAND = """\
import json, os, ssl, sys, urllib.parse, urllib.request
url, ca_file, claims = sys.argv[1:4]
claims = {**json.loads(claims), "aud": os.environ["AGENTCA_AUDIENCE"]}
form = urllib.parse.urlencode({"grant_type": "client_credentials", "claims": json.dumps(claims)})
context = ssl.create_default_context(cafile=ca_file)
with urllib.request.urlopen(url + "/token", form.encode(), context=context) as answer:
    print(json.load(answer)["access_token"])
"""


class World:
    """A CA with one source of tokens, and the agents that were registered there."""

    def __init__(self, directory, challenges, issuer, serve=(), init=()):
        self.directory = Path(directory)
        self.issuer = issuer
        self.ca = AgentCa(self.directory / "ca", challenges,
                          init=["--agents-zone", ZONE, *init], serve=serve)
        self.ca.start()
        self.add_source("platform", "--format", "jwt", "--issuer", issuer.url, "--jwks",
                        f"{issuer.url}/jwks", "--jwks-ca", issuer.ca_file)

    @property
    def root_file(self):
        return self.ca.root_file

    @property
    def directory_url(self):
        return self.ca.directory_url

    def add_source(self, name, *arguments):
        self.ca.cli("evidence", "add", name, *arguments)

    def add_agent(self, agent, *arguments, source="platform", claims=None, **degrees):
        """Registered with `claims` (default: sub is the agent's own path) of `source`."""
        claims = {"sub": agent} if claims is None else claims
        rule = " ".join([source, *(f"{claim}={pattern}" for claim, pattern in claims.items())])
        options = [part for name, value in degrees.items() for part in (f"--{name}", value)]
        self.ca.cli("agent", "add", agent, "--sponsor", "team@test.example", "--evidence", rule,
                    *options, *arguments)
        return dns_name(agent)

    def show_agent(self, agent):
        return self.ca.json("agent", "show", agent)

    def attest_conf(self, claims, *lines, name="attest.conf"):
        """A configuration of `agentca attest` for a workload whose tokens say `claims`."""
        script = self.directory / "token.py"
        script.write_text(TOKEN_COMMAND)
        words = [sys.executable, script, self.issuer.url, self.issuer.ca_file, json.dumps(claims)]
        file = self.directory / name
        file.write_text("".join(f"{line}\n" for line in (
            f"server = {self.directory_url}", f"ca-file = {self.root_file}",
            *(f"token-command = {word}" for word in words), *lines)))
        return file

    def attest(self, conf, *arguments):
        """Runs `agentca attest` stand-alone."""
        return self.ca.run("attest", "--config", conf, *arguments)

    def hook(self, conf):
        """The command line of the hook, for clients that take one."""
        return f"{shlex.quote(self.ca.binary)} attest --config {shlex.quote(str(conf))}"

    def stop(self):
        return self.ca.stop()


class Jose:
    """Debian's jose: keys and signatures."""

    def __init__(self, directory, algorithm="ES256", kid="attester"):
        if shutil.which("jose") is None:
            pytest.skip("jose is not installed")
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.key_file = self.directory / "key.jwk"
        self._run("jwk", "gen", "-i", json.dumps({"alg": algorithm, "kid": kid}), "-o",
                  self.key_file)
        self.algorithm, self.kid = algorithm, kid

    def _run(self, *arguments, stdin=None):
        done = subprocess.run(["jose", *map(str, arguments)], input=stdin, capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def jwks(self):
        public = json.loads(self._run("jwk", "pub", "-i", self.key_file, "-o", "-"))
        return {"keys": [{**public, "kid": self.kid}]}

    def jwks_file(self):
        file = self.directory / "jwks.json"
        file.write_text(json.dumps(self.jwks()))
        return file

    def sign(self, payload, **header):
        """Compact JWS of a JSON object."""
        template = {"protected": {"alg": self.algorithm, "kid": self.kid, **header}}
        return self._run("jws", "sig", "-I", "-", "-k", self.key_file, "-s", json.dumps(template),
                         "-c", stdin=json.dumps(payload)).strip()

    def token(self, **claims):
        now = int(time.time())
        return self.sign({"iat": now, "exp": now + 300, **claims}, typ="JWT")
