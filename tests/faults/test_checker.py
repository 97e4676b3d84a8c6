"""The checker finds what it is for: each promise is broken on purpose, after a real run that kept
all of them, by changing the store behind the server's back or what was seen of it."""

import copy
import hashlib
import os
import random
import sqlite3

import pytest

import checker
import evidence as look
import schedule
from history import OK, REFUSED, UNKNOWN, History
from processes import ROOT
from run import Run, parse
from stores import Sqlite
from strikes import Striker

os.environ.setdefault("AGENTCA_BIN", str(ROOT / "build/release/acme/agentca"))


class Kept:
    """A calm run's history, evidence and store."""

    def __init__(self, directory):
        options = parse(["--seed", "1", "--seconds", "3", "--clients", "3", "--only", "nothing",
                         "--keep", str(directory)])
        run = Run(options, directory)
        assert run.plan == []
        run.go()
        assert run.violations == {}
        self.run, self.history, self.evidence = run, run.history, run.evidence
        self.file = directory / "home-0/agentca.sqlite"
        if not self.file.exists():
            self.file = directory / "home-0.kept/agentca.sqlite"


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    kept = Kept(tmp_path_factory.mktemp("calm"))
    assert {"revoke", "certificate", "order", "crl", "ocsp", "replay"} <= {
        event["what"] for event in kept.history.events}
    return kept


@pytest.fixture
def history(calm):
    other = History()
    other.events = copy.deepcopy(calm.history.events)
    return other


@pytest.fixture
def evidence(calm):
    return copy.deepcopy(calm.evidence)


class Store(Sqlite):
    """A copy of the store, to be written to."""

    def __init__(self, file):
        self.file = file

    def change(self, statement, *values):
        with sqlite3.connect(self.file) as database:
            changed = database.execute(statement, values).rowcount
        assert changed > 0, statement


@pytest.fixture
def store(calm, tmp_path):
    copied = tmp_path / "store.sqlite"
    # Not the file alone: what the node committed last may still be in its write-ahead log.
    with sqlite3.connect(calm.file) as kept, sqlite3.connect(copied) as database:
        kept.backup(database)
    return Store(copied)


def issued(evidence, revoked=False):
    """A record of an order's certificate."""
    return next(record for record in evidence.records
                if record["state"] == look.ISSUED and look.order_of(record)
                and (record["revoked_at"] is not None) == revoked)


def found(history, evidence, *expected):
    """The named checks complain, and others may not be wrong about it either."""
    complaints = checker.violations(history, evidence)
    assert set(expected) <= set(complaints), complaints
    return complaints


def test_the_calm_run_is_flawless(history, evidence):
    assert checker.violations(history, evidence) == {}
    assert len(history.of("order", OK)) > 3 and len(history.of("revoke", OK)) > 0
    assert evidence.key_uses and evidence.crls and evidence.ocsp and evidence.shown


# ---- The store, changed with SQL ----------------------------------------------------------------
def reread(store, evidence):
    look.read_store(store, evidence)
    return evidence


def test_a_certificate_that_was_deleted(history, evidence, store):
    serial = issued(evidence)["serial"]
    store.change("DELETE FROM certificate_status WHERE serial = ?", serial)
    found(history, reread(store, evidence), "signed_serials_are_known", "client_and_server_agree")


def test_a_revocation_that_was_taken_back(history, evidence, store):
    serial = issued(evidence, revoked=True)["serial"]
    store.change("UPDATE certificate_status SET revoked_at = NULL, reason = NULL WHERE serial = ?",
                 serial)
    found(history, reread(store, evidence), "acknowledged_revocations_stand")


def test_a_revocation_that_nobody_asked_for(history, evidence, store):
    serial = issued(evidence)["serial"]
    store.change("UPDATE certificate_status SET revoked_at = 1, reason = 0 WHERE serial = ?", serial)
    found(history, reread(store, evidence), "nothing_else_is_revoked")


def test_other_octets_than_were_signed(history, evidence, store):
    record = issued(evidence)
    other = bytearray(record["der"])
    other[record["tbs_offset"] + 20] ^= 1
    store.change("UPDATE certificate_body SET der = ? WHERE serial = ?", bytes(other),
                 record["serial"])
    found(history, reread(store, evidence), "signed_serials_are_known", "client_and_server_agree")


def test_two_certificates_of_one_order(history, evidence, store):
    first = issued(evidence)
    second = next(record for record in evidence.records if look.order_of(record)
                  and look.order_of(record) != look.order_of(first))
    store.change("UPDATE certificate_body SET reference = ? WHERE serial = ?",
                 first["reference"], second["serial"])
    found(history, reread(store, evidence), "orders_issue_once", "client_and_server_agree")


def test_an_order_that_was_deleted(history, evidence, store):
    order = look.order_of(issued(evidence))
    store.change("DELETE FROM acme_authorization WHERE order_id = ?", order)
    store.change("DELETE FROM acme_order WHERE id = ?", order)
    found(history, reread(store, evidence), "client_and_server_agree", "nothing_comes_from_nowhere")


def test_an_order_that_nobody_made(history, evidence, store):
    store.change("INSERT INTO acme_order (id, account, created_at, expires_at, identifiers, "
                 "authorizations) SELECT 'phantom', account, created_at, expires_at, 'dns:x.test', "
                 "'' FROM acme_order LIMIT 1")
    found(history, reread(store, evidence), "nothing_comes_from_nowhere")


def test_an_order_that_does_not_settle(history, evidence, store):
    order = look.order_of(issued(evidence))
    store.change("UPDATE acme_order SET certificate = NULL, finalizing = 1 WHERE id = ?", order)
    assert look.unsettled(store) == 1
    found(history, reread(store, evidence), "everything_settles")


def test_an_intent_that_is_left(history, evidence, store):
    store.change("UPDATE certificate_status SET state = 0 WHERE serial = ?",
                 issued(evidence)["serial"])
    assert look.unsettled(store) == 1
    found(history, reread(store, evidence), "everything_settles")


def test_a_validation_that_is_left(history, evidence, store):
    store.change("UPDATE acme_authorization SET attempt_state = 0")
    assert look.unsettled(store) > 0
    found(history, reread(store, evidence), "everything_settles")


def test_an_abandoned_serial_that_is_not_revoked(history, evidence, store):
    store.change("UPDATE certificate_status SET state = 2 WHERE serial = ?",
                 issued(evidence)["serial"])
    found(history, reread(store, evidence), "abandoned_serials_are_revoked")


def test_an_account_that_was_deleted(history, evidence, store):
    store.change("UPDATE acme_account SET status = 1")
    found(history, reread(store, evidence), "accounts_stand")


# ---- What signers, relying parties and clients saw ----------------------------------------------
def key_use(evidence):
    return next(entry for entry in evidence.key_uses
                if entry[1]["event"] == "key-use" and entry[1]["purpose"] == "certificate")


def test_a_serial_that_another_node_signed_too(history, evidence):
    _, event = key_use(evidence)
    evidence.key_uses.append((1, event))
    found(history, evidence, "serials_never_signed_twice")


def test_a_signature_that_nobody_recorded(history, evidence):
    event = {**key_use(evidence)[1], "object": "1234"}
    evidence.key_uses.append((0, event))
    found(history, evidence, "signed_serials_are_known")


def test_a_signature_over_other_octets(history, evidence):
    key_use(evidence)[1]["sha256"] = hashlib.sha256(b"other").hexdigest()
    found(history, evidence, "signed_serials_are_known")


def test_a_certificate_that_no_log_has(history, evidence):
    serial = look.serial_of(issued(evidence))
    evidence.key_uses = [(node, event) for node, event in evidence.key_uses
                         if event.get("object") is None or int(event["object"], 16) != serial]
    found(history, evidence, "issued_certificates_were_signed")


def test_an_order_that_was_signed_twice(history, evidence):
    record = {**issued(evidence), "serial": b"\x01\x02", "state": look.ABANDONED, "revoked_at": 1}
    evidence.records.append(record)
    digest = hashlib.sha256(look.tbs_of(record)).hexdigest()
    evidence.key_uses.append((0, {**key_use(evidence)[1], "object": "0102", "sha256": digest}))
    found(history, evidence, "orders_issue_once")


def test_a_serial_that_is_there_twice(history, evidence):
    evidence.records.append(dict(issued(evidence)))
    found(history, evidence, "serials_are_unique")


def test_a_crl_that_forgets(history, evidence):
    serial = look.serial_of(issued(evidence, revoked=True))
    evidence.crls[0][1].remove(serial)
    found(history, evidence, "acknowledged_revocations_stand")


def test_a_crl_that_invents(history, evidence):
    evidence.crls[0][1].add(look.serial_of(issued(evidence)))
    found(history, evidence, "nothing_else_is_revoked")


@pytest.mark.parametrize("revoked, says, check", [
    (True, "good", "acknowledged_revocations_stand"), (False, "revoked", "nothing_else_is_revoked"),
    (False, "unauthorized", "nothing_else_is_revoked")])
def test_a_responder_that_is_wrong(history, evidence, revoked, says, check):
    key = next(key for key, status in evidence.ocsp.items() if (status == "revoked") == revoked)
    evidence.ocsp[key] = says
    found(history, evidence, check)


def test_a_responder_that_takes_a_revocation_back(history, evidence):
    history.add("ocsp", node=0, serial="abc", status="revoked")
    history.add("ocsp", node=0, serial="abc", status="try_later")
    history.add("ocsp", node=1, serial="abc", status="good")
    assert checker.violations(history, evidence) == {}, "another node may lag, within its bound"
    history.add("ocsp", node=0, serial="abc", status="good")
    found(history, evidence, "published_status_only_advances")


@pytest.mark.parametrize("node, difference", [(0, -1), (1, 0)])
def test_crl_numbers_that_fall_or_fork(history, evidence, node, difference):
    last = history.of("crl")[-1]
    history.add("crl", node=node, number=last["number"] + difference, sha256="other")
    found(history, evidence, "published_status_only_advances")


def test_a_request_that_was_taken_twice(history, evidence):
    history.add("replay", REFUSED, node=0, url="https://x", status=400)
    assert checker.violations(history, evidence) == {}
    history.add("replay", OK, node=0, url="https://x", status=200)
    found(history, evidence, "nonces_serve_once")


@pytest.mark.parametrize("statuses", [("valid", "processing"), ("ready", "pending"),
                                      ("invalid", "valid"), ("processing", "ready")])
def test_an_order_that_goes_back(history, evidence, statuses):
    for status in statuses:
        history.add("status", url="https://x/1", status=status, certificate=None, node=0)
    found(history, evidence, "orders_only_advance")


def test_an_order_whose_certificate_changes(history, evidence):
    for certificate in ("https://x/a", "https://x/b"):
        history.add("status", url="https://x/1", status="valid", certificate=certificate, node=0)
    found(history, evidence, "orders_only_advance")


def test_one_key_with_two_accounts(history, evidence):
    history.add("account", url="https://x/other", key=history.of("account")[0]["key"])
    found(history, evidence, "accounts_stand")


@pytest.mark.parametrize("outcome", ["invalid", "ready"])
def test_a_node_that_shows_another_status(history, evidence, outcome):
    node, url, _, der = next(entry for entry in evidence.shown if entry[2] == "valid")
    evidence.shown.remove((node, url, "valid", der))
    evidence.shown.append((node, url, outcome, None))
    found(history, evidence, "client_and_server_agree")


def test_an_acknowledged_order_that_no_node_shows(history, evidence):
    evidence.shown.pop()
    found(history, evidence, "client_and_server_agree")


def test_a_lost_answer_excuses_an_order_but_not_its_certificate(history, evidence):
    order = history.of("order", OK)[0]
    history.events.remove(order)
    history.add("order", UNKNOWN, name=order["name"])
    complaints = found(history, evidence, "nothing_comes_from_nowhere")
    assert all("nobody finalized" in line for line in complaints["nothing_comes_from_nowhere"])


def test_ends_and_words_that_nobody_asked_for(history, evidence):
    evidence.faults.append("node 0 ended with -11")
    evidence.broken_logs.append("node 0: line 5 does not follow")
    found(history, evidence, "processes_behave", "logs_are_whole")


def test_every_check_is_broken_somewhere_above():
    source = (ROOT / "tests/faults/test_checker.py").read_text()
    assert [check.__name__ for check in checker.CHECKS if f'"{check.__name__}"' not in source] == []


# ---- The plan -----------------------------------------------------------------------------------
def test_a_seed_repeats_its_plan():
    arguments = (60, 3, "postgres", {"disk", "clock"})
    assert schedule.plan(7, *arguments) == schedule.plan(7, *arguments)
    assert schedule.plan(7, *arguments) != schedule.plan(8, *arguments)
    long = schedule.plan(random.randrange(2 ** 32), 600, *arguments[1:])
    assert {strike.name for strike in long} == \
        set(schedule.NODE_FAULTS) | set(schedule.STORE_FAULTS), "ten minutes see every fault"
    for strike in long:
        assert callable(getattr(Striker, strike.name.replace("-", "_")))
