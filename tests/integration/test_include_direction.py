"""The arrows between folders (man agentca-design), third-party headers, and the length of files."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAY_INCLUDE = {"ca": {"ca"}, "hsm": {"hsm", "ca"}, "storage": {"storage", "acme", "ca"},
               "acme": {"acme", "ca"}, "acme/main.cc": {"acme", "ca", "hsm", "storage"},
               "acme/cli/": {"acme", "ca", "hsm", "storage"}}
ONLY_IN = {"sqlite3.h": "storage/sqlite", "pqxx": "storage/postgres", "rapidjson": "acme/json.cc",
           "httplib.h": "acme/cli/", "libp11.h": "hsm/", "p11-kit": "hsm/", "ares.h": "acme/challenge/",
           "boost/beast": ("acme/http/", "acme/challenge/answer.cc"), "boost/asio": "acme/http/",
           "boost/program_options": "acme/cli/"}
FOLDERS = ("acme", "ca", "hsm", "storage")
LONGEST = 400


def sources():
    return [file.relative_to(ROOT).as_posix() for folder in FOLDERS
            for file in sorted((ROOT / folder).rglob("*")) if file.suffix in (".h", ".cc")]


def faults(name, text):
    room = max((r for r in MAY_INCLUDE if name.startswith(r)), key=len)
    found = []
    for header in re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', text, re.MULTILINE):
        folder = header.split("/")[0]
        if folder in FOLDERS and folder not in MAY_INCLUDE[room]:
            found.append(f"{name} includes {header}")
        found += [f"{name} includes {header}, which belongs in {place}"
                  for prefix, place in ONLY_IN.items()
                  if header.startswith(prefix) and not name.startswith(place)]
    if text.count("\n") > LONGEST:
        found.append(f"{name} has {text.count(chr(10))} lines, over {LONGEST}")
    return found


def test_every_arrow_points_the_right_way():
    assert len(sources()) > 50
    assert [fault for name in sources() for fault in faults(name, (ROOT / name).read_text())] == []


@pytest.mark.parametrize("name, text", [
    ("ca/issuer.cc", '#include "acme/model.h"\n'), ("hsm/softkey.cc", '#include "storage/open.h"\n'),
    ("acme/order.cc", '#include "hsm/pkcs11.h"\n'), ("acme/order.cc", "#include <sqlite3.h>\n"),
    ("storage/open.cc", '#include "hsm/pkcs11.h"\n'), ("acme/jws.cc", "# include <rapidjson/reader.h>"),
    ("ca/der.cc", "\n" * (LONGEST + 1))])
def test_a_wrong_arrow_is_seen(name, text):
    assert len(faults(name, text)) == 1
