"""What the demo shows, and to whom."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dev.demo import parser
from dev.demo_scene import answered_by, scene_of, with_models
from dev.farm.contract import FRAMEWORK
from windmill.core.errors import WindmillError
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT

FLEET = load_fleet(ROOT / "service_config.json")
SERVICES = list(FLEET.services)


def _options(*said: str) -> argparse.Namespace:
    return parser().parse_args(said)


def test_without_a_folder_images_are_drawn_and_all_services_are_stand_ins() -> None:
    scene = scene_of(_options("--images", "6"), FLEET)
    assert scene.kind == "stand-in"
    assert (scene.services, scene.left_out) == (SERVICES, ())
    assert scene.drawing[scene.drawing.index("--out") + 1] == str(scene.images)
    truth = Path(scene.drawing[scene.drawing.index("--truth") + 1])
    assert scene.images not in truth.parents, "it would be told of as a file that is no picture"
    assert "--real" not in scene.farm_options


def test_a_folder_is_shown_to_the_services_that_have_a_model_and_the_others_are_named(tmp_path: Path) -> None:
    scene = scene_of(_options("--folder", str(tmp_path)), FLEET)
    assert (scene.kind, scene.images, scene.drawing) == ("real", tmp_path, ())
    assert set(scene.left_out) == {"blip", "clip", "detectron2", "inception_v3", "ollama"}
    assert set(scene.services) == set(SERVICES) - set(scene.left_out)
    assert scene.farm_options[:3] == ["--real", "--services", ",".join(scene.services)]


def test_consent_adds_services_and_is_handed_on_to_the_farm(tmp_path: Path) -> None:
    scene = scene_of(_options("--folder", str(tmp_path), "--accept-unstated-licences"), FLEET)
    assert set(scene.left_out) == {"blip", "clip", "ollama"}
    assert scene.farm_options[-1] == "--accept-unstated-licences"


def test_services_and_sets_can_be_left_unasked_and_run_all_the_same(tmp_path: Path) -> None:
    scene = scene_of(_options("--folder", str(tmp_path), "--without", "ocr,people"), FLEET)
    assert set(scene.services) == {"colors", "metadata", "nsfw2", "rtdetr", "yolov8"}
    assert {"face", "ocr"} <= set(scene.farm_options[2].split(","))
    assert "ocr" not in scene_of(_options("--without", "ocr"), FLEET).services


def test_a_service_that_nobody_knows_is_named() -> None:
    with pytest.raises(WindmillError, match="unknown service or set 'orc'"):
        scene_of(_options("--without", "orc"), FLEET)


def test_a_folder_that_is_not_there_ends_the_demo_before_anything_is_started(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        with_models(_options("--folder", str(tmp_path / "no")))
    assert ended.value.code
    said = capsys.readouterr().err
    assert "no is not a folder" in said
    assert said.count("\n") == 1


def test_make_looks_for_the_folder_before_it_installs_anything(tmp_path: Path) -> None:
    words = [f"IMAGES={tmp_path / 'no'}", f"VENV={tmp_path / 'venv'}", f"PYTHON={sys.executable}"]
    made = subprocess.run(
        ["make", "demo", *words],
        cwd=ROOT,
        env={**os.environ, "PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode
    assert f"IMAGES={tmp_path / 'no'} is not a folder; give one of pictures" in made.stderr
    assert not (tmp_path / "venv").exists()


def test_the_table_tells_a_stand_in_from_a_model() -> None:
    assert answered_by(FRAMEWORK) == "stand-in"
    assert answered_by("NanoDet-m") == "real (NanoDet-m)"
