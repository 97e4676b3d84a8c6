"""`agentca attest --print`: what each collector asks its platform for, and what it makes of the
answer. Signatures are judged by openssl and by Debian's jose."""

import base64
import hashlib
import http.server
import json
import os
import ssl
import subprocess
import threading
import time

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from acme_client import b64, unb64
from agents import Jose, make_tls

pytestmark = pytest.mark.needs_agentca

AUDIENCE = "https://ca.test/acme/challenge/abc/agent-attest-01"
NONCE = hashlib.sha256(b"key authorization").digest()


def attest(*arguments, environment=None, check=True):
    done = subprocess.run(
        [os.environ["AGENTCA_BIN"], "attest", "--print", f"--audience={AUDIENCE}",
         f"--txt={b64(NONCE)}", *map(str, arguments)], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, env={**os.environ, **(environment or {})})
    if not check:
        return done
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Platform:
    """An HTTP(S) server that remembers each request and gives one answer."""

    def __init__(self, answer, tls=None, status=200):
        self.requests = []
        platform = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                length = int(self.headers.get("Content-Length", "0"))
                platform.requests.append((self.command, self.path, dict(self.headers),
                                          self.rfile.read(length)))
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls[1], tls[0])
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.server.shutdown()
        self.server.server_close()


def wanted_audience(key=None):
    bound = NONCE if key is None else hashlib.sha256(NONCE + key_digest(key)).digest()
    return f"{AUDIENCE}#{b64(bound)}"


def key_digest(key):
    return hashlib.sha256(key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)).digest()


def make_key(file):
    key = ec.generate_private_key(ec.SECP256R1())
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM,
                                       serialization.PrivateFormat.PKCS8,
                                       serialization.NoEncryption()))
    return key


def evidence(response, format):
    assert response["fmt"] == format
    return unb64(response["evidence"]).decode()


# ---- Tokens -------------------------------------------------------------------------------------
def test_token_file_is_read(tmp_path):
    (tmp_path / "token").write_text(" a.b.c\n")
    assert evidence(attest("--token-file", tmp_path / "token"), "jwt") == "a.b.c"


def test_token_command_gets_the_audience():
    said = attest("--token-command", "sh", "--token-command=-c",
                  "--token-command", "echo $AGENTCA_AUDIENCE", "--evidence-format", "eat")
    assert evidence(said, "eat") == wanted_audience()


def test_token_audience_covers_the_certificate_key(tmp_path):
    key = make_key(tmp_path / "key.pem")
    said = attest("--token-command", "printenv", "--token-command", "AGENTCA_AUDIENCE",
                  "--certificate-key", tmp_path / "key.pem")
    assert evidence(said, "jwt") == wanted_audience(key)
    spki = serialization.load_der_public_key(unb64(said["spki"]))
    assert spki.public_numbers() == key.public_key().public_numbers()
    spki.verify(unb64(said["pop"]), b"agent-attest-01\0" + NONCE + key_digest(key),
                ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("command, cause", [
    (["false"], "exited with 1"), (["/does/not/exist"], "cannot run"), (["true"], "empty"),
    (["yes"], "too long")])
def test_token_command_that_fails_is_named(command, cause):
    done = attest(*(part for word in command for part in ("--token-command", word)), check=False)
    assert done.returncode == 1 and cause in done.stderr


def jwt(payload):
    return f"e30.{b64(json.dumps(payload).encode())}.c2ln"


def kubernetes(tmp_path, port, tls):
    account = tmp_path / "serviceaccount"
    account.mkdir()
    claims = {"kubernetes.io": {"namespace": "prod", "serviceaccount": {"name": "robot"}}}
    (account / "token").write_text(jwt(claims))
    (account / "ca.crt").write_bytes(tls[1].read_bytes())
    return account, {"KUBERNETES_SERVICE_HOST": "localhost", "KUBERNETES_SERVICE_PORT": str(port)}


def test_kubernetes_is_asked_for_a_token_of_the_pods_own_account(tmp_path):
    tls = make_tls(tmp_path)
    with Platform({"kind": "TokenRequest", "status": {"token": "k.8.s"}}, tls, 201) as api:
        account, environment = kubernetes(tmp_path, api.port, tls)
        said = attest("--from-kubernetes", "--service-account-dir", account,
                      environment=environment)
    assert evidence(said, "jwt") == "k.8.s"
    (method, path, headers, body), = api.requests
    assert (method, path) == ("POST", "/api/v1/namespaces/prod/serviceaccounts/robot/token")
    assert headers["Authorization"] == f"Bearer {(account / 'token').read_text()}"
    assert json.loads(body)["spec"] == {"audiences": [wanted_audience()], "expirationSeconds": 600}


def test_kubernetes_of_another_certificate_is_not_believed(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    with Platform({"status": {"token": "k.8.s"}}, make_tls(other)) as api:
        account, environment = kubernetes(tmp_path, api.port, make_tls(tmp_path))
        done = attest("--from-kubernetes", "--service-account-dir", account,
                      environment=environment, check=False)
    assert done.returncode == 1 and "certificate" in done.stderr
    assert not api.requests


def test_github_is_asked_with_the_jobs_own_token(tmp_path):
    with Platform({"value": "g.i.t"}) as api:
        said = attest("--from-github", environment={
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"http://127.0.0.1:{api.port}/id?api-version=2",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "job"})
    assert evidence(said, "jwt") == "g.i.t"
    (method, path, headers, _), = api.requests
    assert method == "GET" and path.startswith("/id?api-version=2&audience=https%3A%2F%2F")
    assert headers["Authorization"] == "Bearer job"


def test_gcp_metadata_is_asked_for_the_full_identity():
    with Platform(b"g.c.p\n") as api:
        said = attest("--from-gcp", "--gcp-metadata", f"http://127.0.0.1:{api.port}")
    assert evidence(said, "jwt") == "g.c.p"
    (_, path, headers, _), = api.requests
    assert path.startswith("/computeMetadata/v1/instance/service-accounts/default/identity?")
    assert "format=full" in path and headers["Metadata-Flavor"] == "Google"


def test_platform_that_refuses_is_named_without_its_secret():
    with Platform({"message": "no"}, status=403) as api:
        done = attest("--from-github", check=False, environment={
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"http://127.0.0.1:{api.port}/id",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "sesame"})
    assert done.returncode == 1 and "HTTP status 403" in done.stderr
    assert "sesame" not in done.stderr


def test_platform_that_is_not_there_is_named():
    done = attest("--from-github", check=False,
                  environment={"ACTIONS_ID_TOKEN_REQUEST_URL": ""})
    assert done.returncode == 1 and "id-token: write" in done.stderr


def test_spiffe_command_gets_the_audience_and_its_svid_is_found(tmp_path):
    """The form of `spire-agent api fetch jwt -output json`."""
    script = tmp_path / "fetch"
    script.write_text('#!/bin/sh\n[ "$1" = -audience ] || exit 1\n'
                      'printf \'[{"svids":[{"spiffe_id":"spiffe://td/x","svid":"s.v.%s"}]},'
                      '{"bundles":{}}]\' "$(printf %s "$2" | wc -c)"\n')
    script.chmod(0o755)
    said = attest("--from-spiffe", "--spiffe-command", script)
    assert evidence(said, "jwt-svid") == f"s.v.{len(wanted_audience())}"


# ---- Keys ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "RS256"])
def test_statement_verifies_with_jose(tmp_path, algorithm):
    attester = Jose(tmp_path, algorithm)
    pem = tmp_path / "attester.pem"
    pem.write_bytes(pem_of(json.loads(attester.key_file.read_text())))
    (tmp_path / "claims.json").write_text('{"agent": "acme/robot", "build": {"id": "7"}}')
    began = int(time.time())
    said = attest("--statement", tmp_path / "claims.json", "--attester-key", pem,
                  "--attester-key-id", "attester")
    statement = evidence(said, "statement")
    done = subprocess.run(["jose", "jws", "ver", "-i", "-", "-k", attester.jwks_file(), "-O", "-"],
                          input=statement, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    claims = json.loads(done.stdout)
    assert claims["nonce"] == b64(NONCE)
    assert (claims["agent"], claims["build"]) == ("acme/robot", {"id": "7"})
    assert began <= claims["iat"] < claims["exp"] <= claims["iat"] + 300
    header = json.loads(unb64(statement.split(".")[0]))
    assert (header["alg"], header["kid"]) == (algorithm, "attester")


def pem_of(jwk):
    """A private JWK as PKCS#8 PEM, by python-cryptography."""
    number = {name: int.from_bytes(unb64(value), "big") for name, value in jwk.items()
              if name in ("x", "y", "d", "n", "e", "p", "q", "dp", "dq", "qi")}
    if jwk["kty"] == "EC":
        curve = ec.SECP256R1() if jwk["crv"] == "P-256" else ec.SECP384R1()
        key = ec.derive_private_key(number["d"], curve)
    else:
        from cryptography.hazmat.primitives.asymmetric import rsa
        public = rsa.RSAPublicNumbers(number["e"], number["n"])
        key = rsa.RSAPrivateNumbers(number["p"], number["q"], number["d"], number["dp"],
                                    number["dq"], number["qi"], public).private_key()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def test_statement_may_not_bring_its_own_nonce(tmp_path):
    make_key(tmp_path / "key.pem")
    (tmp_path / "claims.json").write_text('{"nonce": "x"}')
    done = attest("--statement", tmp_path / "claims.json", "--attester-key", tmp_path / "key.pem",
                  check=False)
    assert done.returncode == 2 and '"nonce"' in done.stderr


def test_x5c_signature_verifies_with_openssl(tmp_path):
    key, certificate = make_tls(tmp_path)
    said = attest("--attester-chain", certificate, "--attester-key", key)
    assert said["fmt"] == "x5c"
    der = base64.b64decode("".join(certificate.read_text().splitlines()[1:-1]))
    assert [unb64(each) for each in said["chain"]] == [der]
    (tmp_path / "signature").write_bytes(unb64(said["evidence"]))
    (tmp_path / "message").write_bytes(b"agent-attest-01\0" + NONCE)
    subprocess.run(["openssl", "x509", "-in", certificate, "-pubkey", "-noout", "-out",
                    tmp_path / "public.pem"], check=True)
    done = subprocess.run(["openssl", "dgst", "-sha256", "-verify", tmp_path / "public.pem",
                           "-signature", tmp_path / "signature", tmp_path / "message"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


# ---- Usage --------------------------------------------------------------------------------------
@pytest.mark.parametrize("arguments, cause", [
    ([], "how does the agent prove itself"),
    (["--from-github", "--from-gcp"], "cannot be combined"),
    (["--statement", "x"], "--attester-key"),
    (["--token-file", "/does/not/exist"], "/does/not/exist")])
def test_wrong_usage_is_named(arguments, cause):
    done = attest(*arguments, check=False)
    assert done.returncode in (1, 2) and cause in done.stderr


def test_run_ends_at_its_deadline():
    began = time.monotonic()
    done = attest("--token-command", "sleep", "--token-command", "60", "--deadline", "1s",
                  check=False)
    assert done.returncode == 1 and "took too long" in done.stderr
    assert time.monotonic() - began < 30
