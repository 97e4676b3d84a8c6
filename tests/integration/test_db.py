"""agentca db: from SQLite to PostgreSQL and back, old back-ups, what pruning keeps."""

import json
import os
import sqlite3
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from cryptography import x509

from acme_client import Client
from crash import chained_lines, crl_url
from relying_parties import issuer_of, ocsp_status
from servers import Program, Solver, fetch, wait_for

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))

import postgres  # noqa: E402

pytestmark = pytest.mark.needs_agentca


@pytest.fixture(scope="module")
def postgres_server():
    """URI of a server: that of the environment, or one of our own."""
    given = os.environ.get("AGENTCA_TEST_POSTGRES")
    if given:
        yield given
        return
    if not postgres.installed():
        pytest.skip("PostgreSQL is not installed")
    with postgres.directory_for() as directory:
        server = postgres.Server(directory).create().start()
        yield server.uri()
        server.stop("immediate")


@pytest.fixture
def new_schema(postgres_server):
    """Makes the URI of an empty schema."""
    def make():
        name = f"t{uuid.uuid4().hex}"
        subprocess.run(["psql", "-qX", postgres_server, "-c", f"CREATE SCHEMA {name}"], check=True)
        join = "&" if "?" in postgres_server else "?"
        return f"{postgres_server}{join}options=-csearch_path%3D{name}"
    return make


def client_of(server, challenges):
    client = Client(server.directory_url, str(server.root_file), solver=Solver(challenges))
    client.register()
    return client


def again(server, challenges, client):
    """The same account at a server that was started anew."""
    known = Client(server.directory_url, str(server.root_file), key=client.key,
                   solver=Solver(challenges))
    known.register(onlyReturnExisting=True)
    return known


def db(server, verb, *arguments, code=0):
    done = server.run("db", verb, "--dir", server.directory, "--json", *arguments)
    assert done.returncode == code, f"db {verb}: {done.returncode}\n{done.stdout}{done.stderr}"
    return json.loads(done.stdout) if done.stdout else None


def sound(server, *arguments):
    assert db(server, "check", *arguments) == {"findings": [], "sound": True}


def configure(server, storage):
    """What an operator does after an import."""
    file = server.directory / "agentca.conf"
    lines = [line for line in file.read_text().splitlines() if not line.startswith("storage =")]
    file.write_text("\n".join([*lines, f"storage = {storage}", ""]))


def on_crl(server, serial):
    status, _, body = fetch(crl_url(server))
    assert status == 200
    return x509.load_der_x509_crl(body).get_revoked_certificate_by_serial_number(serial)


def test_from_sqlite_to_postgres_and_back(own_agentca, challenges, new_schema, tmp_path):
    server = own_agentca
    client = client_of(server, challenges)
    issued = client.obtain(["moved.db.test"])
    gone = client.obtain(["revoked.db.test"])
    assert client.revoke(gone.certificate, 4).status == 200
    server.stop()
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    digest = db(server, "export", "--out", first)
    assert first.stat().st_mode & 0o777 == 0o600
    uri = new_schema()
    assert db(server, "import", "--in", first, "--storage", uri) == digest
    sound(server, "--storage", uri)
    assert db(server, "export", "--out", second, "--storage", uri) == digest
    assert first.read_bytes() == second.read_bytes()
    back = f"sqlite:{tmp_path}/back.sqlite"
    assert db(server, "import", "--in", second, "--storage", back) == digest
    sound(server, "--storage", back)
    assert db(server, "export", "--out", third, "--storage", back) == digest
    assert first.read_bytes() == third.read_bytes()

    configure(server, uri)
    server.start()
    issuing = issuer_of(issued.certificate)
    assert ocsp_status(server, issued.certificate, issuing) == "good"
    assert ocsp_status(server, gone.certificate, issuing) == "revoked"
    known = again(server, challenges, client)
    renewed = known.obtain(["moved.db.test"])
    assert renewed.serial != issued.serial
    assert known.fetch(issued.order_url).json["status"] == "valid"
    assert on_crl(server, gone.serial) is not None
    server.stop()
    sound(server)


def test_an_import_is_whole_or_nothing(own_agentca, challenges, tmp_path):
    server = own_agentca
    client_of(server, challenges).obtain(["whole.db.test"])
    server.stop()
    export = tmp_path / "export"
    db(server, "export", "--out", export)
    assert "exists" in server.run("db", "export", "--dir", server.directory, "--out",
                                  export).stderr
    target = f"sqlite:{tmp_path}/target.sqlite"
    whole = export.read_bytes()
    lines = whole.split(b"\n")
    broken = {"truncated": whole[:len(whole) // 2], "one line less": b"\n".join(lines[:-2]) + b"\n",
              "changed": whole.replace(b"whole.db.test", b"whole.xx.test", 1),
              "newer": whole.replace(b'"schema":', b'"schema":9', 1), "foreign": b"{}\n", "": b""}
    for what, octets in broken.items():
        (tmp_path / "broken").write_bytes(octets)
        done = server.run("db", "import", "--dir", server.directory, "--in", tmp_path / "broken",
                          "--storage", target)
        assert done.returncode == 1 and "nothing was imported" in done.stderr, (what, done)
    db(server, "import", "--in", export, "--storage", target)
    done = server.run("db", "import", "--dir", server.directory, "--in", export, "--storage", target)
    assert done.returncode == 1 and "empty" in done.stderr


def test_an_old_back_up_does_not_un_revoke(own_agentca, challenges, tmp_path):
    server = own_agentca
    database = server.directory / "db/agentca.sqlite"
    client = client_of(server, challenges)
    kept = client.obtain(["kept.db.test"])
    victim = client.obtain(["victim.db.test"])
    back_up = tmp_path / "back-up.sqlite"
    with sqlite3.connect(database) as source, sqlite3.connect(back_up) as target:
        source.backup(target)
    target.close()
    assert client.revoke(victim.certificate, 1).status == 200
    lost = client.obtain(["lost.db.test"])
    wait_for(lambda: on_crl(server, victim.serial) is not None, 10, "the CRL names the victim")
    before = on_crl(server, victim.serial)
    number = crl_number(server)
    server.stop()

    for file in database.parent.glob("agentca.sqlite*"):
        file.unlink()
    database.write_bytes(back_up.read_bytes())
    refused = Program(server.serve_command(), tmp_path / "refused.log")
    wait_for(lambda: not refused.running(), 60, "serve refuses the old database")
    assert refused.process.returncode == 1
    assert "db reconcile" in refused.tail()
    assert db(server, "check", code=1)["sound"] is False

    planned = db(server, "reconcile", "--dry-run")
    assert planned["revoked"] == [hex_of(victim.serial)]
    assert hex_of(lost.serial) in planned["added"]
    done = db(server, "reconcile")
    assert {**done, "dry_run": True} == planned
    assert db(server, "reconcile") == {"dry_run": False, "added": [], "revoked": [],
                                       "crl_numbers": []}
    events = {(line["event"], line.get("serial"))
              for line in chained_lines(server.directory / "log/audit-cli.log")}
    assert ("reconcile-revoke", hex_of(victim.serial)) in events
    assert ("reconcile-abandon", hex_of(lost.serial)) in events
    sound(server)

    server.start()
    issuing = issuer_of(kept.certificate)
    assert ocsp_status(server, kept.certificate, issuing) == "good"
    assert ocsp_status(server, victim.certificate, issuing) == "revoked"
    assert ocsp_status(server, lost.certificate, issuing) == "revoked"
    wait_for(lambda: crl_number(server) > number and on_crl(server, lost.serial) is not None, 20,
             "a new CRL names what was lost")
    after = on_crl(server, victim.serial)
    assert after.revocation_date == before.revocation_date
    assert after.extensions[0].value == before.extensions[0].value
    again(server, challenges, client).obtain(["lost.db.test"])


def hex_of(serial):
    text = f"{serial:x}"
    return text if len(text) % 2 == 0 else f"0{text}"


def crl_number(server):
    body = fetch(crl_url(server))[2]
    return x509.load_der_x509_crl(body).extensions.get_extension_for_class(
        x509.CRLNumber).value.crl_number


def test_pruning_keeps_what_is_needed(own_agentca, challenges):
    server = own_agentca
    client = client_of(server, challenges)
    issued = client.obtain(["prune.db.test"])
    revoked = client.obtain(["prune-revoked.db.test"])
    assert client.revoke(revoked.certificate).status == 200
    counts = {row["what"]: row["rows"] for row in db(server, "prune")["pruned"]}
    assert set(counts.values()) == {0}
    server.stop()
    # As it will look in a year, but for the certificates, which would no longer be valid.
    with sqlite3.connect(server.directory / "db/agentca.sqlite") as database:
        database.execute("UPDATE acme_order SET expires_at = expires_at - 366 * 86400")
        database.execute("UPDATE acme_authorization SET expires_at = expires_at - 366 * 86400")
    database.close()
    planned = {row["what"]: row["rows"] for row in db(server, "prune", "--dry-run")["pruned"]}
    assert planned["orders"] == 2 and planned["certificates"] == 0
    kept = db(server, "prune", "--retention-orders", "0s")["pruned"]
    assert "orders" not in {row["what"] for row in kept}
    done = {row["what"]: row["rows"] for row in db(server, "prune")["pruned"]}
    assert done == planned
    sound(server)
    server.start()
    issuing = issuer_of(issued.certificate)
    assert ocsp_status(server, issued.certificate, issuing) == "good"
    assert ocsp_status(server, revoked.certificate, issuing) == "revoked"
    assert on_crl(server, revoked.serial) is not None
    known = again(server, challenges, client)
    assert known.obtain(["prune.db.test"]).serial != issued.serial
    assert known.revoke(issued.certificate).status == 200  # the account owns it without its order


def test_migrate_has_nothing_to_do_after_serve(own_agentca):
    server = own_agentca
    server.stop()
    looked = db(server, "migrate", "--dry-run")
    assert looked["from"] == looked["to"] and looked["steps"] == []
    assert db(server, "migrate") == {**looked, "dry_run": False}
    done = server.run("db", "migrate", "--dir", server.directory, "--storage",
                      f"sqlite:{server.directory}/nothing")
    assert done.returncode == 1 and "does not exist" in done.stderr


def test_memory_has_nothing_to_look_after(own_agentca):
    done = own_agentca.run("db", "check", "--dir", own_agentca.directory, "--storage", "memory:")
    assert done.returncode == 2 and "nothing to look after" in done.stderr
