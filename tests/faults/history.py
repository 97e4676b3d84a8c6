"""What clients did and were told, in order: the only witness that is not the server's own.

An event's outcome is what its client may conclude: OK, it took effect and the server said so;
REFUSED, the server said that it did not; UNKNOWN, no answer, or one that says nothing.
"""

import json
import threading
import time
from pathlib import Path

OK, REFUSED, UNKNOWN = "ok", "refused", "unknown"


class History:
    """Thread-safe. Each event is also a line of `file`, at once."""

    def __init__(self, file=None):
        self.events = []
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._file = Path(file).open("a") if file else None

    def add(self, what, outcome=OK, **values):
        """`what`: order, status, finalize, certificate, revoke, account, replay, ocsp, crl, fault."""
        event = {"at": round(time.monotonic() - self._began, 4), "what": what, "outcome": outcome,
                 **values}
        with self._lock:
            self.events.append(event)
            if self._file:
                self._file.write(json.dumps(event) + "\n")
                self._file.flush()
        return event

    def of(self, what, outcome=None):
        with self._lock:
            events = list(self.events)
        return [event for event in events
                if event["what"] == what and outcome in (None, event["outcome"])]

    def close(self):
        if self._file:
            self._file.close()
            self._file = None

    @classmethod
    def load(cls, file):
        history = cls()
        history.events = [json.loads(line) for line in Path(file).read_text().splitlines()]
        return history
