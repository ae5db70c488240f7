import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from windmill.core.errors import ConfigInvalid, WindmillError
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT, Settings
from windmill.engines.configuration import load_engines, parse_engines
from windmill.engines.engine import EngineRequest
from windmill.engines.entries import BuiltinEntry, ComfyUiEntry, FleetEntry, HttpEntry, ProcessEntry
from windmill.engines.registry import open_engines

SOURCE = "service_config.json"
ENGINES = {
    "painter": {"kind": "process", "command": ["python3", "-u", "paint.py"], "parameters": ["steps"], "concurrency": 2},
    "gpu": {"kind": "http", "url": "https://gpu.example/v1", "headers": {"Authorization": "Bearer ${GPU_KEY}"}},
    "comfy": {"kind": "comfyui", "url": "http://localhost:8188", "timeout_seconds": 900},
    "sketch": {"kind": "builtin"},
}


def refused(engines: Any) -> str:  # noqa: ANN401 - any JSON
    with pytest.raises(ConfigInvalid) as raised:
        parse_engines(engines, SOURCE)
    return str(raised.value)


def default_of(**environ: str) -> object:
    return load_engines(ROOT / SOURCE, Settings.from_env(environ), ROOT)["default"]


def test_each_kind_is_read_with_its_defaults() -> None:
    found = parse_engines(ENGINES, SOURCE)
    assert isinstance(found["painter"], ProcessEntry)
    assert (found["painter"].command, found["painter"].concurrency) == (("python3", "-u", "paint.py"), 2)
    assert isinstance(found["gpu"], HttpEntry)
    assert (found["gpu"].path, found["gpu"].body) == ("/infer", "multipart")
    assert isinstance(found["comfy"], ComfyUiEntry)
    assert found["comfy"].timeout_seconds == 900
    assert found["sketch"] == BuiltinEntry(concurrency=1, timeout_seconds=300)


def test_all_mistakes_are_told_at_once_each_with_its_place() -> None:
    said = refused(
        {
            "Big": {"kind": "builtin"},
            "a": {"kind": "magic"},
            "b": {"kind": "process", "comand": ["x"], "memory_bytes": 1},
            "c": {"kind": "http", "url": "http://u:secret@h", "body": "xml"},
            "d": {"kind": "comfyui"},
            "e": {"kind": "process", "command": []},
            "f": {"kind": "builtin", "models": [{"file": "a", "sha256": "ABC"}]},
        }
    )
    for place in ("engines.Big", "a.kind", "b.comand", "b.command", "b.memory_bytes", "c.url", "c.body", "d.url",
                  "e.command", "f.models[0].sha256"):  # fmt: skip
        assert place in said, place
    assert "did you mean 'command'" in said
    assert "secret" not in said


def test_an_engine_may_have_several_addresses() -> None:
    (entry,) = parse_engines({"gpu": {"kind": "http", "urls": ["http://a:1", "http://b:1/x"]}}, SOURCE).values()
    assert isinstance(entry, HttpEntry)
    assert [str(url) for url in entry.urls] == ["http://a:1", "http://b:1/x"]
    assert entry.url == entry.urls[0]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"url": "http://a", "urls": ["http://b"]}, "exclude each other"),
        ({"urls": []}, "must name a URL at least"),
        ({"urls": ["http://a", "http://a:80"]}, "must be different URLs"),
        ({"url": "http://a", "sign": "aws"}, "needs the body raw, json, base64 or audio"),
        ({"url": "http://a", "sign": "gcp", "body": "json"}, "sign"),
    ],
)
def test_keys_that_do_not_go_together_are_refused(keys: dict[str, Any], said: str) -> None:
    assert said in refused({"gpu": {"kind": "http", **keys}})


def test_the_fleet_is_an_engine_without_an_entry_and_with_one(tmp_path: Path) -> None:
    config = tmp_path / SOURCE
    config.write_text('{"services": {}}')
    assert load_engines(config, Settings.from_env({}), tmp_path)["fleet"] == FleetEntry()
    own = {"fleet": {"kind": "fleet", "window": 8, "services": ["detectors"], "resubmit_seconds": 5}}
    config.write_text(json.dumps({"services": {}, "engines": own}))
    entry = load_engines(config, Settings.from_env({}), tmp_path)["fleet"]
    assert entry == FleetEntry(window=8, services=("detectors",), resubmit_seconds=5)


def test_a_key_in_the_file_is_refused() -> None:
    said = refused({"gpu": {"kind": "http", "url": "http://h", "headers": {"Authorization": "Bearer abc"}}})
    assert "this file holds no secrets" in said
    assert "abc" not in said


def test_the_engines_are_no_hindrance_to_who_reads_the_services(tmp_path: Path) -> None:
    config = tmp_path / SOURCE
    config.write_text((ROOT / SOURCE).read_text().replace('"services": {', '"engines": {"a": 5}, "services": {', 1))
    assert load_fleet(config).services


def test_files_that_a_command_names_are_found_from_the_home_folder(tmp_path: Path) -> None:
    (tmp_path / "paint.py").touch()
    config = tmp_path / SOURCE
    config.write_text(
        '{"services": {}, "engines": {"p": {"kind": "process", "command": ["python3", "paint.py", "-v"]}}}'
    )
    entry = load_engines(config, Settings.from_env({}), tmp_path)["p"]
    assert isinstance(entry, ProcessEntry)
    assert entry.command == ("python3", str(tmp_path / "paint.py"), "-v")


def test_files_with_graphs_are_found_from_the_home_folder(tmp_path: Path) -> None:
    config = tmp_path / SOURCE
    comfy = {"kind": "comfyui", "url": "http://h:1", "graphs": {"generate_image": "graphs/text.json"}}
    config.write_text(json.dumps({"services": {}, "engines": {"comfy": comfy}}))
    entry = load_engines(config, Settings.from_env({}), tmp_path)["comfy"]
    assert isinstance(entry, ComfyUiEntry)
    assert entry.graphs == {"generate_image": str(tmp_path / "graphs" / "text.json")}


def test_without_any_setting_the_default_draws_without_a_model() -> None:
    assert default_of() == default_of(MODEL_ADAPTER_TYPE="mock") == BuiltinEntry()


def test_the_variables_of_the_first_system_make_the_default() -> None:
    python = default_of(MODEL_ADAPTER_TYPE="python", PYTHON_PATH="python3 -u", PYTHON_SCRIPT="/x/model.py")
    assert python == ProcessEntry(command=("python3", "-u", "/x/model.py"), timeout_seconds=300)
    http = default_of(MODEL_ADAPTER_TYPE="http", MODEL_API_TIMEOUT="1500")
    assert isinstance(http, HttpEntry)
    assert (str(http.url), http.path, http.timeout_seconds) == ("http://localhost:5000", "/infer", 1.5)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"MODEL_ADAPTER_TYPE": "python"}, "PYTHON_SCRIPT"),
        ({"MODEL_ADAPTER_TYPE": "http", "MODEL_API_URL": "localhost"}, "MODEL_API_URL"),
        ({"MODEL_ADAPTER_TYPE": "tensor"}, "MODEL_ADAPTER_TYPE"),
    ],
)
def test_a_default_that_cannot_be_made_names_the_variable(environ: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigInvalid, match=said):
        default_of(**environ)


async def test_a_variable_that_an_engine_needs_must_be_set() -> None:
    for entry in (
        {"kind": "process", "command": ["x"], "environment": {"TOKEN": "${MY_TOKEN}"}},
        {"kind": "http", "url": "http://h", "headers": {"X-Key": "${MY_TOKEN}"}},
    ):
        entries = parse_engines({"a": entry}, SOURCE)
        with pytest.raises(ConfigInvalid, match="MY_TOKEN"):
            async with open_engines(entries, {}):
                pass
        async with open_engines(entries, {"MY_TOKEN": "abc"}) as engines:
            assert list(engines) == ["a"]


async def test_what_a_variable_stands_for_is_in_no_error_of_the_program(tmp_path: Path) -> None:
    command = ["/bin/sh", "-c", "echo my key is $TOKEN >&2; exit 3"]
    entry = {"kind": "process", "command": command, "environment": {"TOKEN": "${MY_TOKEN}"}}
    async with open_engines(parse_engines({"a": entry}, SOURCE), {"MY_TOKEN": "s3same"}) as engines:
        with pytest.raises(WindmillError) as raised:
            await engines["a"].run(EngineRequest("job-1", {}, {}, tmp_path), lambda _: None, asyncio.Event())
    assert "my key is ***" in raised.value.message
