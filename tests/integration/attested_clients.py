"""Debian's ACME clients again, each with the attest hook in place of its own way to publish: the
agent's name, proven by evidence. The verbs are those of stock_clients."""

import shutil
import subprocess

import pytest

import stock_clients
from servers import ROOT

HOOK = ROOT / "contrib/hooks/agentca-hook"
PLUGIN = ROOT / "contrib/certbot-agentca"


class Attested:
    """What the hook of contrib/ finds in its environment."""

    def prepare(self, world, conf):
        self.conf = conf
        self.hook_command = world.hook(conf)
        self.environment.update(AGENTCA=world.ca.binary, AGENTCA_ATTEST_CONF=str(conf))
        return self


class Certbot(Attested, stock_clients.Certbot):
    def obtain(self, names, key_type="p256", *more):
        kind, curve = self.key_types[key_type]
        self.certbot("certonly", "--agree-tos", "--register-unsafely-without-email", "--manual",
                     "--preferred-challenges", "dns", "--manual-auth-hook", self.hook_command,
                     "--manual-cleanup-hook", self.hook_command, "--key-type", kind,
                     *(["--elliptic-curve", curve] if curve else []), "--cert-name", "it", *more,
                     *(part for name in names for part in ("-d", name)))
        return self._live()


class CertbotPlugin(Attested, stock_clients.Certbot):
    name = "certbot -a agentca"

    def prepare(self, world, conf):
        super().prepare(world, conf)
        site = self.directory / "site"
        pip = subprocess.run(["/usr/bin/python3", "-m", "pip", "--version"], capture_output=True)
        if pip.returncode != 0:
            pytest.skip("python3-pip is not installed")
        source = self.directory / "certbot-agentca"
        shutil.copytree(PLUGIN, source)
        subprocess.run(["/usr/bin/python3", "-m", "pip", "install", "--quiet", "--no-deps",
                        "--no-build-isolation", "--no-index", "--target", site, source],
                       check=True, capture_output=True, text=True)
        self.environment["PYTHONPATH"] = str(site)
        return self

    def obtain(self, names, key_type="p256", *more):
        kind, curve = self.key_types[key_type]
        self.certbot("certonly", "--agree-tos", "--register-unsafely-without-email", "-a",
                     "agentca", "--agentca-config", self.conf, "--agentca-command",
                     self.environment["AGENTCA"], "--key-type", kind,
                     *(["--elliptic-curve", curve] if curve else []), "--cert-name", "it", *more,
                     *(part for name in names for part in ("-d", name)))
        return self._live()


class Lego(Attested, stock_clients.Lego):
    def obtain(self, names, key_type="p256"):
        self.environment["EXEC_PATH"] = str(HOOK)
        return super().obtain(names, "dns-01", key_type)


class Dehydrated(Attested, stock_clients.Dehydrated):
    hook = HOOK

    def obtain(self, names, key_type="p256"):
        return super().obtain(names, "dns-01", key_type)


class Uacme(Attested, stock_clients.Uacme):
    """Offers agent-attest-01 to its hook, and posts {} when the hook is content."""
    hook = HOOK

    def obtain(self, names, key_type="p256"):
        # proot traces what it runs, which LeakSanitizer does not bear.
        self.environment["ASAN_OPTIONS"] = "detect_leaks=0"
        return super().obtain(names, "agent-attest-01", key_type)


ALL = (Certbot, CertbotPlugin, Lego, Dehydrated, Uacme)
