"""HAProxy in front of the nodes, as contrib would have it: TLS ends at the nodes, and a node that is
not ready gets no new connections. Clients of a run go through it as well as to each node alone.
"""

import shutil
from pathlib import Path

from processes import START_DEADLINE, Program, accepts, free_port, wait_for

CONFIGURATION = """\
global
    maxconn 500
defaults
    mode tcp
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    option redispatch
    retries 2
frontend acme
    bind 127.0.0.1:{port}
    default_backend nodes
backend nodes
    balance roundrobin
    option httpchk GET /readyz
    default-server check inter 500 fall 2 rise 1 on-marked-down shutdown-sessions
"""


def installed():
    return shutil.which("haproxy") or Path("/usr/sbin/haproxy").exists()


class Balancer:
    def __init__(self, directory, nodes):
        self.port = free_port()
        servers = [f"    server node{node.number} 127.0.0.1:{node.acme_port} "
                   f"port {node.http_port}\n" for node in nodes]
        file = Path(directory) / "haproxy.cfg"
        file.write_text(CONFIGURATION.format(port=self.port) + "".join(servers))
        self.program = Program([shutil.which("haproxy") or "/usr/sbin/haproxy", "-db", "-f", file],
                               Path(directory) / "haproxy.log")
        wait_for(lambda: accepts(self.port), START_DEADLINE, "haproxy listens")

    @property
    def acme_url(self):
        return f"https://localhost:{self.port}"

    def stop(self):
        self.program.stop()
