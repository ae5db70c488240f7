"""python -m windmill engines: what it lists, what it finds, and how it ends."""

import hashlib
import json
from pathlib import Path

import pytest

from windmill.core.errors import WindmillError
from windmill.engines.configuration import parse_engines
from windmill.engines.entries import EngineEntry
from windmill.operate.engines import (
    check_engines,
    exit_code_of,
    render_engines_json,
    render_engines_text,
    render_reports_json,
    render_reports_text,
)


def entries(folder: Path, sha256: str) -> dict[str, EngineEntry]:
    (folder / "a.bin").write_bytes(b"weights")
    models = [{"file": "a.bin", "sha256": sha256, "licence": "MIT"}]
    return parse_engines(
        {
            "sketch": {"kind": "builtin", "models": models, "models_folder": str(folder)},
            "away": {"kind": "comfyui", "url": "http://127.0.0.1:1"},
            "gone": {"kind": "process", "command": ["/no/such/program"]},
        },
        "service_config.json",
    )


def test_the_list_tells_kind_and_place(tmp_path: Path) -> None:
    listed = render_engines_text(entries(tmp_path, "0" * 64))
    assert "comfyui" in listed
    assert "http://127.0.0.1:1" in listed
    document = render_engines_json(entries(tmp_path, "0" * 64))
    assert [one["kind"] for one in document] == ["builtin", "comfyui", "process"]
    assert json.loads(json.dumps(document)) == document


async def test_what_is_wrong_is_told_by_code_with_its_remedy(tmp_path: Path) -> None:
    reports = await check_engines(entries(tmp_path, "0" * 64))
    assert [report.codes for report in reports] == [
        ["CHECKSUM_MISMATCH"], ["ENGINE_OFFLINE"], ["PROCESS_NOT_STARTED"],
    ]  # fmt: skip
    assert exit_code_of(reports) == 1
    text = render_reports_text(reports)
    assert "a.bin: CHECKSUM_MISMATCH" in text
    assert text.count("remedy:") == 3
    document = render_reports_json(reports)
    assert document["ok"] is False
    assert json.loads(json.dumps(document)) == document


async def test_a_well_engine_ends_with_0(tmp_path: Path) -> None:
    reports = await check_engines(entries(tmp_path, hashlib.sha256(b"weights").hexdigest()), "sketch")
    assert exit_code_of(reports) == 0
    assert "verified; licence MIT" in render_reports_text(reports)


async def test_an_unknown_engine_is_named_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(WindmillError, match="known: sketch, away, gone"):
        await check_engines(entries(tmp_path, "0" * 64), "sketsh")
