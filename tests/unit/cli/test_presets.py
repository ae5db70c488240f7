"""python -m windmill presets, as somebody types it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.pipelines.made_presets import SMALL, with_value
from windmill.cli import main as module

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs the command; own presets lie in the folder `own`."""
    monkeypatch.setenv("PRESETS_DIR", str(tmp_path / "own"))
    monkeypatch.setenv("DB_HOST", "127.0.0.1")
    monkeypatch.setenv("DB_PORT", "1")
    (tmp_path / "own").mkdir()

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["windmill", "presets", *words])
        try:
            code = module.main()
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def put(folder: Path, document: dict[str, object], name: str = "soft_film") -> Path:
    path = folder / f"{name}.json"
    path.write_text(json.dumps(document))
    return path


def test_a_list_has_the_shipped_presets_and_ones_own(run: Run, tmp_path: Path) -> None:
    put(tmp_path / "own", SMALL)
    code, out, _ = run("list")
    lines = {line.split()[0]: line.split()[-1] for line in out.splitlines()}
    assert code == 0
    assert (lines["soft_film"], lines["photoreal_portrait_v1"]) == ("own", "shipped")
    assert "image_to_video_v1" not in lines


def test_all_shows_what_cannot_be_run_yet_with_what_is_missing(run: Run) -> None:
    _, out, _ = run("list", "--all")
    assert "an engine that makes a video of a picture" in next(
        line for line in out.splitlines() if "image_to_video_v1" in line
    )
    _, out, _ = run("list", "--all", "--json")
    document = json.loads(out)
    assert not {one["id"] for one in document["unavailable"]} & {one["id"] for one in document["presets"]}
    assert len(document["unavailable"]) >= 4


def test_all_tells_which_engines_have_to_be_configured_first(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def line() -> str:
        return next(line for line in run("list", "--all")[1].splitlines() if line.startswith("cinematic_portrait_v1"))

    assert line().endswith("shipped; missing: an engine named local_comfy")
    engines = {"local_comfy": {"kind": "comfyui", "url": "http://localhost:8188"}}
    (tmp_path / "config.json").write_text(json.dumps({"services": {}, "engines": engines}))
    monkeypatch.setenv("SERVICE_CONFIG", str(tmp_path / "config.json"))
    assert line().endswith("shipped")
    listed = {one["id"]: one["missing"] for one in json.loads(run("list", "--json")[1])["presets"]}
    assert listed["cinematic_portrait_v1"] == []


def test_a_list_can_be_of_a_category_or_of_an_engine(run: Run) -> None:
    by_engine = json.loads(run("list", "--engine", "local_comfy", "--json")[1])["presets"]
    assert {one["id"] for one in by_engine} >= {"cinematic_portrait_v1"}
    assert all(one["engines"] == ["local_comfy"] for one in by_engine)
    by_category = json.loads(run("list", "--category", "post_processing", "--json")[1])["presets"]
    assert [one["id"] for one in by_category] == [
        "color_grade_film_grain_v1",
        "comfy_film_look_v1",
        "upscale_deflicker_video_v1",
        "upscale_denoise_image_v1",
    ]


def test_a_file_with_mistakes_is_told_on_standard_error_and_the_others_are_listed(run: Run, tmp_path: Path) -> None:
    put(tmp_path / "own", with_value(SMALL, "version", "1"))
    code, out, err = run("list")
    assert code == 2
    assert "photoreal_portrait_v1" in out
    assert "soft_film.json: version='1': must be a whole number" in err


def test_a_preset_is_shown_with_its_inputs_levels_steps_and_notes(run: Run) -> None:
    code, out, _ = run("show", "photoreal_portrait_v1")
    assert code == 0
    for said in ("text of 1 to 2000 characters; required", "cfg 6.5", "only if $quality.upscale is at least 2",
                 "if $identity_reference is given", "No pictures of nudity", "ENGINE_OFFLINE"):  # fmt: skip
        assert said in out
    document = json.loads(run("show", "photoreal_portrait_v1", "--json")[1])
    assert document["steps"][2]["condition"] == "$quality.upscale is at least 2"
    assert document["inputs_schema"] == json.loads(run("show", "photoreal_portrait_v1", "--schema")[1])


def test_a_preset_that_there_is_not_ends_with_2_and_the_nearest(run: Run) -> None:
    code, _, err = run("show", "photoreal_portrait")
    assert code == 2
    assert "did you mean 'photoreal_portrait_v1'?" in err


def test_a_right_file_passes_the_check(run: Run, tmp_path: Path) -> None:
    path = put(tmp_path, SMALL)
    assert run("check", str(path)) == (0, f"{path} is right: soft_film, version 1, 1 step(s)\n", "")
    assert json.loads(run("check", str(path), "--json")[1])["ok"] is True


def test_a_check_names_file_place_value_and_remedy(run: Run, tmp_path: Path) -> None:
    path = put(tmp_path, with_value(SMALL, "steps.0.parameters", {"strength": 2}))
    code, out, err = run("check", str(path))
    assert (code, out) == (2, "")
    assert "soft_film.json: steps[0].parameters.strength='2': must be a number from 0 to 1" in err
    code, out, _ = run("check", str(path), "--json")
    assert code == 2
    assert json.loads(out)["problems"] == [
        {
            "file": "soft_film.json",
            "path": "steps[0].parameters.strength",
            "value": "2",
            "message": "must be a number from 0 to 1",
        }
    ]


def test_a_file_that_is_not_there_is_told(run: Run, tmp_path: Path) -> None:
    code, _, err = run("check", str(tmp_path / "none.json"))
    assert code == 2
    assert "cannot be read: No such file" in err
