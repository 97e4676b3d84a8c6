"""Shell scripts pass shellcheck, man pages pass mandoc's lint."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (".ci", "contrib", "tests", "bench")


def scripts():
    files = (f for folder in FOLDERS for f in (ROOT / folder).rglob("*") if f.is_file())
    return sorted(f for f in files if f.suffix == ".sh" or is_shell(f))


def is_shell(file):
    with file.open("rb") as stream:
        first = stream.readline(80)
    return first.startswith(b"#!") and first.rstrip().endswith(b"sh")


def run(*command):
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and not done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("script", scripts(), ids=lambda file: str(file.relative_to(ROOT)))
def test_script_passes_shellcheck(script):
    run("shellcheck", "--external-sources", "--source-path=SCRIPTDIR", script)


@pytest.mark.parametrize("page", sorted((ROOT / "man").glob("*.[1-9]")), ids=lambda file: file.name)
def test_man_page_passes_mandoc(page):
    run("mandoc", "-T", "lint", "-W", "warning", page)
