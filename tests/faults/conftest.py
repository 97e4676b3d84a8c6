"""What the tests of faults share with those of tests/integration, and more of their own."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

import postgres  # noqa: E402


@pytest.fixture
def database():
    """A PostgreSQL of the test's own, running."""
    if not postgres.installed():
        pytest.skip("PostgreSQL is not installed")
    with postgres.directory_for() as directory:
        server = postgres.Server(directory).create().start()
        yield server
        server.stop("immediate")
