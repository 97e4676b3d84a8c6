"""agent-attest-01 for certbot: evidence about an agent is the response to the challenge.

`agentca attest --print` collects the evidence; this module carries it into certbot's flow.
"""

import hashlib
import json
import logging
import subprocess
from typing import List

import josepy as jose
from acme import challenges
from certbot import achallenges, errors, interfaces
from certbot.plugins import common

logger = logging.getLogger(__name__)

TYPE = "agent-attest-01"
TIMEOUT = 90  # seconds; agentca's own deadline is shorter


@challenges.ChallengeResponse.register
class AgentAttest01Response(challenges.KeyAuthorizationChallengeResponse):
    """{"fmt", "evidence", "chain", "spki", "pop"}, as agentca prints it."""

    typ = TYPE
    fmt: str = jose.field("fmt", omitempty=True)
    evidence: str = jose.field("evidence", omitempty=True)
    chain: List[str] = jose.field("chain", omitempty=True)
    spki: str = jose.field("spki", omitempty=True)
    pop: str = jose.field("pop", omitempty=True)


@challenges.Challenge.register
class AgentAttest01(challenges.KeyAuthorizationChallenge):
    """The challenge; members that this module has no use for are left to the CA."""

    response_cls = AgentAttest01Response
    typ = response_cls.typ
    audience: str = jose.field("audience", omitempty=True)

    def validation(self, account_key, **unused_kwargs):
        """The base64url form of N = SHA-256(keyAuthorization): what the evidence is bound to."""
        key_authorization = self.key_authorization(account_key).encode()
        return jose.b64encode(hashlib.sha256(key_authorization).digest()).decode()


class Authenticator(common.Plugin, interfaces.Authenticator):
    """Proves the agent that this machine or workload is."""

    description = "Prove an AI agent to agentca (agent-attest-01)"

    @classmethod
    def add_parser_arguments(cls, add):
        add("config", default="/etc/agentca/attest.conf",
            help="File with the options of agentca attest: how the agent proves itself.")
        add("command", default="agentca", help="The program that collects the evidence.")

    def more_info(self):
        return ("Collects evidence about the agent beside it with agentca attest, and gives it to "
                "the CA as the response to its challenge.")

    def auth_hint(self, failed_achalls):
        return ("The CA did not accept the evidence: the detail above names the cause. "
                f"See {self.conf('config')} for how the agent proves itself.")

    def prepare(self):
        pass

    def get_chall_pref(self, domain):
        return [AgentAttest01]

    def perform(self, achalls):
        return [self._respond(achall) for achall in achalls]

    def cleanup(self, achalls):
        pass

    def _respond(self, achall: achallenges.KeyAuthorizationAnnotatedChallenge):
        response, nonce = achall.response_and_validation()
        said = self._collect(achall.challb.chall.audience, nonce)
        return AgentAttest01Response(
            key_authorization=response.key_authorization,
            **{name: said.get(name) for name in ("fmt", "evidence", "chain", "spki", "pop")})

    def _collect(self, audience, nonce):
        # "=" keeps values that begin with a hyphen from being options.
        command = [self.conf("command"), "attest", "--config", self.conf("config"), "--print",
                   f"--audience={audience}", f"--txt={nonce}"]
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True,
                                  timeout=TIMEOUT, stdin=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise errors.PluginError(f"{command[0]}: {error}") from error
        if done.returncode != 0:
            raise errors.PluginError(done.stderr.strip() or f"{command[0]} failed")
        try:
            return json.loads(done.stdout)
        except ValueError as error:
            raise errors.PluginError(f"{command[0]} printed no JSON") from error
