"""Certificates made with the openssl command, sound and not (tests/testdata/make_identities.sh)."""

import json
from pathlib import Path

import pytest
from cryptography import x509

import agent_identity as reader

TESTDATA = Path(__file__).resolve().parents[3] / "tests/testdata/identity"
BAD = sorted(TESTDATA.glob("bad_*.pem"))


def load(name):
    return x509.load_pem_x509_certificate((TESTDATA / f"{name}.pem").read_bytes())


@pytest.mark.parametrize("name", ["agent", "minimal"])
def test_reads_what_openssl_wrote(name):
    assert reader.agent_identity(load(name)) == json.loads((TESTDATA / f"{name}.json").read_text())
    assert reader.spiffe_id(load(name)) == "spiffe://example.test/t/acme/a/planner"


def test_others_have_none():
    assert reader.agent_identity(load("server")) is None
    assert reader.spiffe_id(load("server")) is None
    assert reader.agent_identity(load("agent"), arc="1.2.3") is None


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_refuses(file):
    with pytest.raises(ValueError):
        reader.agent_identity(x509.load_pem_x509_certificate(file.read_bytes()))


def test_there_are_bad_ones():
    assert len(BAD) >= 20


def test_refuses_a_second_uri():
    with pytest.raises(ValueError):
        reader.spiffe_id(load("two_uris"))


def test_refuses_every_truncation_and_a_longer_value():
    oid = x509.ObjectIdentifier(reader.DEFAULT_ARC + ".1")
    value = load("agent").extensions.get_extension_for_oid(oid).value.value
    assert reader.parse(value)["agent"] == "planner"
    for length in range(len(value)):
        with pytest.raises(ValueError):
            reader.parse(value[:length])
    with pytest.raises(ValueError):
        reader.parse(value + b"\0")
    with pytest.raises(ValueError):
        reader.parse(bytes(reader.MAX_SIZE + 1))
