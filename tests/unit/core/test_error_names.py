"""Error codes: each is raised somewhere, and other names of them lead to one."""

import re

import pytest

from windmill.core.error_names import OTHER_NAMES, code_named
from windmill.core.errors import ERROR_CODES
from windmill.core.settings import ROOT

PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
SOURCES = [
    file.read_text(encoding="utf-8")
    for folder in ("windmill", "workers", "producers", "postprocessors", "gateway")
    for file in (ROOT / folder).rglob("*.py")
    if file.parent.name != "core" or not file.name.startswith("error")
]


@pytest.mark.parametrize("code", ERROR_CODES)
def test_every_code_is_raised_somewhere(code: str) -> None:
    assert any(f'"{code}"' in source for source in SOURCES)


def test_the_page_has_every_other_name() -> None:
    table = PAGE.partition("\n## Other names\n")[2].partition("\n## ")[0]
    assert dict(re.findall(r"^\| `([A-Z_]+)` \| `([A-Z_]+)` \|$", table, re.MULTILINE)) == dict(OTHER_NAMES)


def test_no_name_stands_for_two_things() -> None:
    assert not OTHER_NAMES.keys() & ERROR_CODES.keys()
    assert (code_named("ENGINE_OFFLINE"), code_named("DISK_FULL")) == ("ENGINE_OFFLINE", "INSUFFICIENT_DISK_SPACE")
    assert [code_named(one) for one in ("NONE_SUCH", None, 7, ["USAGE"])] == [None] * 4
