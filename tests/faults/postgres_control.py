#!/usr/bin/env python3
"""A PostgreSQL for a test that is no Python: `postgres_control.py [--standby]` starts one (with it, a
pair) and says its URI; then each line of standard input is an order, and "ok" the answer, or "failed"
and why. 77 when PostgreSQL is not installed. It ends with its input.

    stop fast|immediate | start | freeze | thaw | fail-over | sql STATEMENT
"""

import contextlib
import os
import signal
import sys

import postgres


def signal_all(server, number):
    for pid in [server.program.pid, *postgres.children(server.program.pid)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def obey(order, server, pair):
    verb, _, rest = order.partition(" ")
    if verb == "stop":
        server.stop(rest)
    elif verb == "start":
        server.start()
    elif verb == "freeze":
        signal_all(server, signal.SIGSTOP)
    elif verb == "thaw":
        signal_all(server, signal.SIGCONT)
    elif verb == "fail-over":
        pair.fail_over()
    elif verb == "sql":
        server.psql(rest)
    else:
        raise ValueError(order)


def say(line):
    print(" ".join(line.split()), flush=True)


def main(arguments):
    if not postgres.installed():
        return postgres.SKIPPED
    with postgres.directory_for() as directory:
        pair = postgres.Pair(directory) if "--standby" in arguments else None
        server = pair.primary if pair else postgres.Server(directory).create().start()
        try:
            say((pair or server).uri())
            for line in sys.stdin:
                try:
                    obey(line.strip(), pair.primary if pair else server, pair)
                    say("ok")
                except Exception as error:  # pylint: disable=broad-except
                    say(f"failed: {error}")
        finally:
            signal_all(server, signal.SIGCONT)
            pair.stop() if pair else server.stop("immediate")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
