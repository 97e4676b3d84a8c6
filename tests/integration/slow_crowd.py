"""Runs as a process of its own: many connections that send one octet a second, replaced as the
server drops them. Writes what it saw as JSON at the end; "lag" is how far it fell behind its own
schedule, which on a busy machine makes every life look longer by that.

    slow_crowd.py ACME-PORT HTTP-PORT CONNECTIONS SECONDS

A third each: a TLS handshake that never ends, a request head behind TLS that never ends, and a
request head over plain HTTP that never ends. Bounded by its arguments; loopback only.
"""

import json
import resource
import selectors
import socket
import ssl
import statistics
import sys
import time

# What a slow handshake sends: a record header, then a hello that claims to be long.
HELLO = b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03"
HEAD = b"POST /acme/new-order HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
HEAD_HTTP = b"POST /ocsp HTTP/1.1\r\nHost: localhost\r\nX-Slow: "


class Slow:
    def __init__(self, port, tls, opening):
        self.opening = opening
        self.sent = 0
        self.stream = socket.create_connection(("127.0.0.1", port), timeout=10)
        if tls:
            self.stream = tls.wrap_socket(self.stream, server_hostname="localhost")
        self.stream.setblocking(False)
        self.since = time.monotonic()

    def send_octet(self):
        octet = self.opening[self.sent:self.sent + 1] or b"a"
        self.sent += 1
        self.stream.send(octet)

    def dropped(self):
        """The server said something, or closed: both end this connection's usefulness."""
        try:
            return self.stream.recv(4096) is not None
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True


class Crowd:
    def __init__(self, acme_port, http_port, size):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
        tls.maximum_version = ssl.TLSVersion.TLSv1_3
        self.kinds = ((acme_port, None, HELLO), (acme_port, tls, HEAD), (http_port, None, HEAD_HTTP))
        self.selector = selectors.EpollSelector()
        self.slots = [None] * size
        self.opened = self.dropped = self.failed = self.lag = 0
        self.lives = []

    def open(self, slot):
        try:
            slow = Slow(*self.kinds[slot % 3])
        except OSError:
            self.failed += 1
            return
        self.slots[slot] = slow
        self.opened += 1
        self.selector.register(slow.stream, selectors.EVENT_READ, slot)

    def drop(self, slot):
        slow = self.slots[slot]
        self.lives.append(time.monotonic() - slow.since)
        self.selector.unregister(slow.stream)
        slow.stream.close()
        self.slots[slot] = None
        self.dropped += 1

    def read_until(self, end):
        while (left := end - time.monotonic()) > 0:
            for key, _ in self.selector.select(left):
                if self.slots[key.data].dropped():
                    self.drop(key.data)

    def send(self, slots):
        for slot in slots:
            if self.slots[slot] is None:
                self.open(slot)
                continue
            try:
                self.slots[slot].send_octet()
            except (BlockingIOError, ssl.SSLWantWriteError):
                pass
            except OSError:
                self.drop(slot)

    def run(self, seconds):
        """Every slot has its turn once a second, spread over the second."""
        ticks = 50
        began = time.monotonic()
        held = []
        for tick in range(int(seconds * ticks)):
            if tick % ticks == 0:
                held.append(sum(slow is not None for slow in self.slots))
            self.lag = max(self.lag, time.monotonic() - began - tick / ticks)
            self.send(range(tick % ticks, len(self.slots), ticks))
            self.read_until(began + (tick + 1) / ticks)
        # Not a look at the end: opened together, they are dropped together, in waves.
        return statistics.median(held)


def main():
    acme_port, http_port, size, seconds = map(int, sys.argv[1:5])
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    crowd = Crowd(acme_port, http_port, size)
    for slot in range(size):
        crowd.open(slot)
    print("ready", flush=True)
    held = crowd.run(seconds)
    now = time.monotonic()
    oldest = max((now - slow.since for slow in crowd.slots if slow is not None), default=0)
    print(json.dumps({"opened": crowd.opened, "dropped": crowd.dropped, "failed": crowd.failed,
                      "held": held, "lag": crowd.lag, "longest": max(crowd.lives + [oldest]),
                      "shortest": min(crowd.lives, default=0)}), flush=True)


if __name__ == "__main__":
    main()
