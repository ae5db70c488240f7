"""What the demo shows, and to whom."""

import argparse
from pathlib import Path

import pytest

from dev.demo import parser
from dev.demo_scene import answered_by, scene_of, with_models
from dev.farm.contract import FRAMEWORK, TRAITS

SERVICES = list(TRAITS)


def _options(*said: str) -> argparse.Namespace:
    return parser().parse_args(said)


def test_without_a_folder_images_are_drawn_and_all_services_are_stand_ins() -> None:
    scene = scene_of(_options("--images", "6"), SERVICES)
    assert scene.kind == "stand-in"
    assert (scene.services, scene.left_out) == (SERVICES, ())
    assert scene.drawing[-1] == str(scene.images)
    assert "--real" not in scene.farm_options


def test_a_folder_is_shown_to_the_services_that_have_a_model_and_the_others_are_named(tmp_path: Path) -> None:
    scene = scene_of(_options("--folder", str(tmp_path)), SERVICES)
    assert (scene.kind, scene.images, scene.drawing) == ("real", tmp_path, ())
    assert set(scene.left_out) == {"blip", "clip", "detectron2", "inception_v3", "ollama"}
    assert set(scene.services) == set(SERVICES) - set(scene.left_out)
    assert scene.farm_options[:3] == ["--real", "--services", ",".join(scene.services)]


def test_consent_adds_services_and_is_handed_on_to_the_farm(tmp_path: Path) -> None:
    scene = scene_of(_options("--folder", str(tmp_path), "--accept-unstated-licences"), SERVICES)
    assert set(scene.left_out) == {"blip", "clip", "ollama"}
    assert scene.farm_options[-1] == "--accept-unstated-licences"


def test_a_folder_that_is_not_there_ends_the_demo_before_anything_is_started(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        with_models(_options("--folder", str(tmp_path / "no")))
    assert ended.value.code
    said = capsys.readouterr().err
    assert "no is not a folder" in said
    assert said.count("\n") == 1


def test_the_table_tells_a_stand_in_from_a_model() -> None:
    assert answered_by(FRAMEWORK) == "stand-in"
    assert answered_by("NanoDet-m") == "real (NanoDet-m)"
