"""Debian's ACME clients, each behind the same verbs: obtain, renew, revoke.

Every client keeps its files in a directory of its own and trusts the server under test through the
means it documents. obtain and renew return the path of the certificate (leaf first).
"""

import os
import shutil
import subprocess
from pathlib import Path

from servers import HERE, Program, wait_for

HOOKS = HERE / "hooks"
TIMEOUT = 120


class StockClient:
    name = ""
    challenges = ()
    account_keys = ()  # how obtain's key type reads in the table, where it names the account's too

    def __init__(self, directory, server, challenge_server):
        self.directory = Path(directory)
        self.server = server
        self.world = challenge_server
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.directory), "LC_ALL": "C.UTF-8",
            "CHALLTESTSRV": challenge_server.url}

    def run(self, *argv, **environment):
        argv = [str(part) for part in argv]
        done = subprocess.run(argv, env={**self.environment, **environment},
                              cwd=self.directory, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TIMEOUT)
        assert done.returncode == 0, f"{' '.join(argv)} exited {done.returncode}\n{done.stdout}"
        return done.stdout

    def close(self):
        pass


class Certbot(StockClient):
    name = "certbot"
    challenges = ("http-01", "dns-01")
    key_types = {"p256": ("ecdsa", "secp256r1"), "p384": ("ecdsa", "secp384r1"),
                 "rsa": ("rsa", None)}

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.environment["REQUESTS_CA_BUNDLE"] = str(self.server.root_file)

    def certbot(self, verb, *arguments):
        return self.run("certbot", verb, "--non-interactive", "--server",
                        self.server.directory_url, "--config-dir", self.directory / "config",
                        "--work-dir", self.directory / "work", "--logs-dir",
                        self.directory / "logs", *arguments)

    def obtain(self, names, challenge, key_type="p256"):
        kind, curve = self.key_types[key_type]
        arguments = ["--key-type", kind] + (["--elliptic-curve", curve] if curve else [])
        if challenge == "http-01":
            arguments += ["--standalone", "--http-01-address", self.world.own_address(*names),
                          "--http-01-port", self.world.http_port]
        else:
            arguments += ["--manual", "--preferred-challenges", "dns", "--manual-auth-hook",
                          f"{HOOKS}/certbot put", "--manual-cleanup-hook",
                          f"{HOOKS}/certbot remove"]
        self.certbot("certonly", "--agree-tos", "--register-unsafely-without-email", *arguments,
                     "--cert-name", "it", *(part for name in names for part in ("-d", name)))
        return self._live()

    def renew(self):
        self.certbot("renew", "--force-renewal", "--no-random-sleep-on-renew", "--cert-name", "it")
        return self._live()

    def revoke(self):
        self.certbot("revoke", "--cert-name", "it", "--reason", "superseded",
                     "--no-delete-after-revoke")

    def _live(self):
        return self.directory / "config/live/it/fullchain.pem"


class Lego(StockClient):
    name = "lego"
    challenges = ("http-01", "dns-01", "tls-alpn-01")
    key_types = {"p256": "ec256", "p384": "ec384", "rsa": "rsa2048"}

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.environment.update(LEGO_CA_CERTIFICATES=str(self.server.root_file),
                                EXEC_PATH=str(HOOKS / "lego"), EXEC_PROPAGATION_TIMEOUT="10",
                                EXEC_POLLING_INTERVAL="1", EXEC_SEQUENCE_INTERVAL="1")
        self._common = []
        self._names = []

    def lego(self, verb, *arguments):
        return self.run("lego", *self._common, verb, *arguments)

    def obtain(self, names, challenge, key_type="p256"):
        self._names = names
        if challenge == "dns-01":
            how = ["--dns", "exec", "--dns.disable-cp", "--dns.resolvers", self.world.resolver]
        else:
            address = self.world.own_address(*names)
            how = {"http-01": ["--http", "--http.port", f"{address}:{self.world.http_port}"],
                   "tls-alpn-01": ["--tls", "--tls.port", f"{address}:{self.world.tls_port}"],
                   }[challenge]
        self._common = ["--server", self.server.directory_url, "--accept-tos", "--path",
                        self.directory / "lego", "--email", "operator@example.test",
                        "--key-type", self.key_types[key_type], *how,
                        *(part for name in names for part in ("--domains", name))]
        self.lego("run")
        return self._file()

    def renew(self):
        self.lego("renew", "--days", "36500", "--no-random-sleep")
        return self._file()

    def revoke(self):
        self.lego("revoke", "--keep", "--reason", "4")

    def _file(self):
        return self.directory / f"lego/certificates/{self._names[0].replace('*', '_')}.crt"


class Dehydrated(StockClient):
    name = "dehydrated"
    hook = HOOKS / "dehydrated"
    challenges = ("http-01", "dns-01", "tls-alpn-01")
    key_types = {"p256": "prime256v1", "p384": "secp384r1", "rsa": "rsa"}

    def dehydrated(self, *arguments):
        return self.run("dehydrated", "--config", self.directory / "config", *arguments)

    def obtain(self, names, challenge, key_type="p256"):
        address = self.world.own_address(*names) if challenge == "tls-alpn-01" else "127.0.0.1"
        (self.directory / "alpn").mkdir(exist_ok=True)
        (self.directory / "www").mkdir(exist_ok=True)
        (self.directory / "domains.txt").write_text(f"{' '.join(names)} > it\n")
        (self.directory / "config").write_text(
            f"CA={self.server.directory_url}\nBASEDIR={self.directory}\n"
            f"DOMAINS_TXT={self.directory}/domains.txt\nWELLKNOWN={self.directory}/www\n"
            f"ALPNCERTDIR={self.directory}/alpn\nCHALLENGETYPE={challenge}\n"
            f"HOOK={self.hook}\nKEY_ALGO={self.key_types[key_type]}\n"
            f"CURL_OPTS='--cacert {self.server.root_file} --noproxy *'\nKEYSIZE=2048\n")
        self.environment.update(CHALLENGE=challenge, ALPN_CERTIFICATES=str(self.directory / "alpn"),
                                ALPN_LISTEN=f"{address}:{self.world.tls_port}")
        self.dehydrated("--register", "--accept-terms")
        self.dehydrated("--cron")
        return self._file()

    def renew(self):
        self.dehydrated("--cron", "--force")
        return self._file()

    def revoke(self):
        self.dehydrated("--revoke", (self._file().parent / "cert.pem").resolve())

    def _file(self):
        return self.directory / "certs/it/fullchain.pem"


class Uacme(StockClient):
    """uacme trusts /etc/ssl/certs and nothing else: it runs under proot, which shows it the root
    under test in that place. A mount namespace would do, too, but few containers allow one."""

    name = "uacme"
    hook = HOOKS / "uacme"
    challenges = ("http-01", "dns-01", "tls-alpn-01")
    key_types = {"p256": ("EC", 256), "p384": ("EC", 384), "rsa": ("RSA", 2048)}

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._trust = self.directory / "trust"
        self._trust.mkdir()
        shutil.copy(self.server.root_file, self._trust / "ca-certificates.crt")
        self._ualpn = None
        self._common = []
        self._names = []

    def uacme(self, *arguments):
        return self.run("proot", "-b", f"{self._trust}:/etc/ssl/certs", "uacme", "--verbose",
                        "--yes", *self._common, *arguments)

    def obtain(self, names, challenge, key_type="p256"):
        self._names = names
        kind, bits = self.key_types[key_type]
        self._common = ["--acme-url", self.server.directory_url, "--confdir", self.directory / "d",
                        "--hook", self.hook, "--type", kind, "--bits", bits, "--no-ocsp"]
        self.environment["CHALLENGE"] = challenge
        if challenge == "tls-alpn-01":
            self._start_ualpn(self.world.own_address(*names))
        self.uacme("new")
        self.uacme("issue", *names)
        return self._file()

    def renew(self):
        self.uacme("--force", "issue", *self._names)
        return self._file()

    def revoke(self):
        self.uacme("--reason", 4, "revoke", self._file())

    def _start_ualpn(self, address):
        socket = self.directory / "ualpn.sock"
        self.environment["UALPN_SOCKET"] = str(socket)
        self._ualpn = Program(
            ["ualpn", "--bind", f"{address}@{self.world.tls_port}", "--connect", "127.0.0.1@9",
             "--num-workers", "1", "-vvv", "--sock", socket, "--sock-mode", "600",
             "--pidfile", self.directory / "ualpn.pid"],
            self.directory / "ualpn.log")
        # It listens before it has a worker, and turns connections away until then.
        wait_for(lambda: "new worker starting" in self._ualpn.tail(), 30, "ualpn has a worker")

    def _file(self):
        return self.directory / "d" / self._names[0].removeprefix("*.") / "cert.pem"

    def close(self):
        if self._ualpn is not None:
            self._ualpn.stop()


ALL = (Certbot, Lego, Dehydrated, Uacme)
