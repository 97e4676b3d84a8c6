"""The readers in contrib/identity pass their own tests, each in its language."""

import os
import shutil
import subprocess
import sys

import pytest

from servers import ROOT

READERS = ROOT / "contrib/identity"
FILES = {"python": "agent_identity.py", "go": "identity.go", "node": "agent-identity.js"}
COMMANDS = {"python": [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
            "go": ["go", "test", "-count=1", "./..."], "node": ["node", "--test"]}


@pytest.mark.parametrize("language", COMMANDS)
def test_reader(language):
    command = COMMANDS[language]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, cwd=READERS / language, capture_output=True, text=True,
                          timeout=300, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1",
                                            "GOFLAGS": "-mod=mod", "GOPROXY": "off"})
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_reader_is_run():
    found = {folder.name for folder in READERS.iterdir() if (folder / FILES.get(folder.name, "-")).exists()}
    assert found == set(COMMANDS)


def test_the_command_prints_json():
    certificate = ROOT / "tests/testdata/identity/agent.pem"
    done = subprocess.run([sys.executable, READERS / "python/agent_identity.py", certificate],
                          capture_output=True, text=True, timeout=60)
    assert '"sponsor": "Ada Lovelace"' in done.stdout, done.stderr
