"""What the tests of faults share with those of tests/integration, and more of their own."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

import postgres  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "long: begins first, each on a worker of its own")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture
def database():
    """A PostgreSQL of the test's own, running."""
    if not postgres.installed():
        pytest.skip("PostgreSQL is not installed")
    with postgres.directory_for() as directory:
        server = postgres.Server(directory).create().start()
        yield server
        server.stop("immediate")
