"""Judges a run: the promises of the CA against what clients were told (history.py) and what the
servers left behind (evidence.py). Pure: no process, no file, no network.

Each check returns what it found against the CA, in words; none may be found.
"""

import hashlib
from collections import Counter, defaultdict

from evidence import ABANDONED, INTENT, ISSUED, order_of, serial_of, tbs_of
from history import OK, UNKNOWN

# pending → ready → processing → valid; any of them → invalid (RFC 8555 §7.1.6).
RANK = {"pending": 0, "ready": 1, "processing": 2, "valid": 3, "invalid": 3}


def signed_events(evidence):
    return [(node, int(event["object"], 16), event["sha256"]) for node, event in evidence.key_uses
            if event["event"] == "key-use" and event["purpose"] == "certificate"]


def by_serial(evidence):
    return {serial_of(record): record for record in evidence.records}


def order_id(url):
    return url.rsplit("/", 1)[1]


def serials_never_signed_twice(history, evidence):
    """Over the signers of all nodes."""
    counts = Counter(serial for _, serial, _ in signed_events(evidence))
    return [f"serial {serial:x} was signed {count} times"
            for serial, count in counts.items() if count > 1]


def signed_serials_are_known(history, evidence):
    """And so are the exact octets that were signed."""
    known, found = by_serial(evidence), []
    for node, serial, digest in signed_events(evidence):
        record = known.get(serial)
        if record is None:
            found.append(f"node {node} signed {serial:x}, which the store does not know")
        elif hashlib.sha256(tbs_of(record)).hexdigest() != digest:
            found.append(f"node {node} signed other octets as {serial:x} than the store has")
    return found


def issued_certificates_were_signed(history, evidence):
    """By a key whose every use is in a log."""
    signed = {serial for _, serial, _ in signed_events(evidence)}
    return [f"{serial_of(record):x} is issued, but no signer's log has it"
            for record in evidence.records
            if record["state"] == ISSUED and order_of(record)
            and serial_of(record) not in signed]


def serials_are_unique(history, evidence):
    counts = Counter(serial_of(record) for record in evidence.records)
    return [f"the store has {serial:x} {count} times"
            for serial, count in counts.items() if count > 1]


def orders_issue_once(history, evidence):
    """One certificate for an order, and one signature."""
    signed = {serial for _, serial, _ in signed_events(evidence)}
    issued, uses = Counter(), Counter()
    for record in evidence.records:
        if order_of(record):
            issued[order_of(record)] += record["state"] == ISSUED
            uses[order_of(record)] += serial_of(record) in signed
    served = defaultdict(set)
    for event in history.of("certificate"):
        served[event["url"]].add(event["der"])
    return ([f"order {order} has {count} certificates"
             for order, count in issued.items() if count > 1] +
            [f"order {order} was signed {count} times" for order, count in uses.items() if count > 1] +
            [f"{url} gave {len(ders)} certificates" for url, ders in served.items() if len(ders) > 1])


def acknowledged_revocations_stand(history, evidence):
    """In the store, in the CRL of every node, and in the OCSP of every node."""
    known, found = by_serial(evidence), []
    wanted = {int(event["serial"], 16) for event in history.of("revoke", OK)}
    for serial in wanted:
        if serial not in known or known[serial]["revoked_at"] is None:
            found.append(f"the store forgot the revocation of {serial:x}")
    return found + is_published(wanted, evidence)


def abandoned_serials_are_revoked(history, evidence):
    """A signature may exist; nobody shall believe it."""
    abandoned = {serial_of(record) for record in evidence.records
                 if record["state"] == ABANDONED and order_of(record)}
    found = [f"abandoned {serial_of(record):x} is not revoked" for record in evidence.records
             if record["state"] == ABANDONED and record["revoked_at"] is None]
    return found + is_published(abandoned, evidence)


def is_published(serials, evidence):
    found = [f"the CRL of node {node} lacks {serial:x}"
             for node, (_, listed) in evidence.crls.items() for serial in serials - listed]
    return found + [f"OCSP of node {node} says {status} of {serial:x}"
                    for (node, serial), status in evidence.ocsp.items()
                    if serial in serials and status != "revoked"]


def nothing_else_is_revoked(history, evidence):
    """The store, CRLs and OCSP call nothing revoked that nobody asked for."""
    asked = {int(event["serial"], 16) for event in history.of("revoke")}
    known, found = by_serial(evidence), []
    revoked = {serial for serial, record in known.items() if record["revoked_at"] is not None}
    for serial in revoked - asked:
        if known[serial]["state"] != ABANDONED:
            found.append(f"{serial:x} is revoked, but nobody asked for it")
    for node, (_, listed) in evidence.crls.items():
        found += [f"the CRL of node {node} lists {serial:x}, which is not revoked"
                  for serial in listed - revoked]
    for (node, serial), status in evidence.ocsp.items():
        if serial not in revoked and status != "good":
            found.append(f"OCSP of node {node} says {status} of {serial:x}, which stands")
    return found


def everything_settles(history, evidence):
    """Of the store; what a client sees of it is in client_and_server_agree."""
    found = [f"order {row['id']} is still processing" for row in evidence.orders
             if row["finalizing"] and row["certificate"] is None and row["error"] is None]
    found += [f"{serial_of(record):x} is still an intent" for record in evidence.records
              if record["state"] == INTENT]
    if evidence.validations:
        found.append(f"{evidence.validations} validations are still processing")
    return found


def client_and_server_agree(history, evidence):
    """Each acknowledged order is there, settled, and the same to its client, the store and the node
    that was asked last; a valid one has its certificate, an invalid one has none."""
    rows = {row["id"]: row for row in evidence.orders}
    issued = {order_of(record): record for record in evidence.records
              if record["state"] == ISSUED and order_of(record)}
    shown = {url: (status, der) for _, url, status, der in evidence.shown}
    found = []
    for event in history.of("order", OK):
        url = event["url"]
        row, record = rows.get(order_id(url)), issued.get(order_id(url))
        status, der = shown.get(url, ("not settled", None))
        if row is None:
            found.append(f"the store forgot {url}")
        elif order_id(event["account"]) != row["account"]:
            found.append(f"{url} belongs to another account")
        if status not in ("valid", "invalid"):
            found.append(f"{url} is {status}")
        if (status == "valid") != (record is not None):
            found.append(f"{url} is {status}, and its certificate is "
                         f"{'there' if record else 'not there'}")
        if record is not None and der is not None and der != record["der"]:
            found.append(f"{url} shows another certificate than the store has")
    ders = {record["der"] for record in evidence.records if record["der"] is not None}
    found += [f"the store lacks certificate {event['serial']}, which a client has"
              for event in history.of("certificate") if bytes.fromhex(event["der"]) not in ders]
    return found


def nothing_comes_from_nowhere(history, evidence):
    """An order that no client knows stems from a request whose answer was lost, and stays as it
    was made; a certificate has an order."""
    known = {order_id(event["url"]) for event in history.of("order", OK)}
    lost = {f"dns:{event['name']}" for event in history.of("order", UNKNOWN)}
    found = []
    for row in evidence.orders:
        if row["id"] in known:
            continue
        if row["identifiers"].strip() not in lost:
            found.append(f"nobody asked for order {row['id']}")
        if row["finalizing"] or row["certificate"] is not None:
            found.append(f"nobody finalized order {row['id']}")
    orders = {row["id"] for row in evidence.orders}
    return found + [f"{serial_of(record):x} is of no order" for record in evidence.records
                    if order_of(record) and order_of(record) not in orders]


def accounts_stand(history, evidence):
    rows = {row["id"]: row for row in evidence.accounts}
    found, urls = [], defaultdict(set)
    for event in history.of("account", OK):
        urls[event["key"]].add(event["url"])
        row = rows.get(order_id(event["url"]))
        if row is None or row["status"] != 0 or row["thumbprint"] != event["key"]:
            found.append(f"the store forgot {event['url']}")
    return found + [f"one key, several accounts: {sorted(several)}"
                    for several in urls.values() if len(several) > 1]


def orders_only_advance(history, evidence):
    """What one client saw of one order, in the order in which it saw it, at whatever node."""
    last, found = {}, []
    for event in history.of("status"):
        url, status = event["url"], event["status"]
        before, certificate = last.get(url, ("pending", None))
        ended = before in ("valid", "invalid")
        if RANK[status] < RANK[before] or (ended and status != before):
            found.append(f"{url} went from {before} to {status} at node {event['node']}")
        if certificate is not None and event["certificate"] != certificate:
            found.append(f"{url} changed its certificate")
        last[url] = (status, event["certificate"] or certificate)
    return found


def nonces_serve_once(history, evidence):
    return [f"node {event['node']} took a request twice: {event['url']}"
            for event in history.of("replay", OK)]


def published_status_only_advances(history, evidence):
    """During the faults: a node that once called a certificate revoked never calls it good again,
    a CRL's number never falls at one node and means one CRL everywhere."""
    revoked, numbers, meaning, found = set(), {}, {}, []
    for event in history.of("ocsp"):
        key = (event["node"], event["serial"])
        if event["status"] == "revoked":
            revoked.add(key)
        elif key in revoked and event["status"] == "good":
            found.append(f"OCSP of node {key[0]} took back the revocation of {key[1]}")
    for event in history.of("crl"):
        node, number, digest = event["node"], event["number"], event["sha256"]
        if number < numbers.get(node, 0):
            found.append(f"the CRL of node {node} went from {numbers[node]} to {number}")
        numbers[node] = number
        if meaning.setdefault(number, digest) != digest:
            found.append(f"there are two CRLs of number {number}")
    return found


def processes_behave(history, evidence):
    return list(evidence.faults)


def logs_are_whole(history, evidence):
    return list(evidence.broken_logs)


CHECKS = (serials_never_signed_twice, signed_serials_are_known, issued_certificates_were_signed,
          serials_are_unique, orders_issue_once, acknowledged_revocations_stand,
          abandoned_serials_are_revoked, nothing_else_is_revoked, everything_settles,
          client_and_server_agree, nothing_comes_from_nowhere, accounts_stand, orders_only_advance,
          nonces_serve_once, published_status_only_advances, processes_behave, logs_are_whole)


def violations(history, evidence):
    """{check's name: what it found}, only of those that found something."""
    found = {check.__name__: check(history, evidence) for check in CHECKS}
    return {name: faults for name, faults in found.items() if faults}
