"""The contract check: passes what keeps the contract, and names what departs from it."""

import asyncio
import json
from typing import Any

import pytest

from dev.farm.check import check_server
from dev.farm.contract import traits_of
from dev.farm.judging import Observation, expect_error, expect_page, expect_success, judge
from dev.farm.prediction_shapes import prediction_shape
from dev.farm.shapes import departures
from tests.conformance.services.serving import SERVICES, serving
from tests.conformance.services.structure import REPLIES, captured, derive, merge, unlike
from windmill.core.errors import WindmillError


async def run_check(url: str, service: str) -> dict[str, list[str]]:
    verdicts = await asyncio.to_thread(check_server, url, service, with_health=True, timeout=10)
    return {verdict.probe: verdict.departures for verdict in verdicts}


@pytest.mark.parametrize("service", [*SERVICES, "depth"])
async def test_a_stand_in_keeps_the_contract_it_is_checked_against(service: str) -> None:
    async with serving(service) as client:
        found = await run_check(client.farm.url(service), service)
    assert len(found) >= 19
    assert {probe: said for probe, said in found.items() if said} == {}


async def test_a_service_that_does_not_find_what_its_canary_shows_departs() -> None:
    async with serving("face") as client:
        url = client.farm.url("face")
        sees = await asyncio.to_thread(check_server, url, "face", "face", with_health=False, timeout=10)
        await client.farm.set_faults(["face"], {"blind": 1})
        blind = await asyncio.to_thread(check_server, url, "face", "face", with_health=False, timeout=10)
    assert [verdict for verdict in sees if verdict.departures] == []
    assert [verdict.departures for verdict in blind if verdict.departures] == [["finds no face"]]


async def test_another_service_on_the_port_is_noticed() -> None:
    async with serving("yolov8") as client:
        found = await run_check(client.farm.url("yolov8") + "/v3/analyze", "clip")
    assert "service: expected 'clip', got 'yolo'" in found["upload of a JPEG"]
    assert "predictions[0].bbox: expected no such key, got object" in found["upload of a JPEG"]
    assert found["unknown path"] == []


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("error-rate", "expected status 200, got 500 (Internal error"),
        ("html-rate", "content type: expected application/json, got text/html"),
        ("cut-json-rate", "body: expected JSON, got"),
        ("nesting-rate", "body: expected JSON, got"),
        ("wrong-type-rate", "predictions: expected list, got string 'none'"),
        ("status-error-rate", "status: expected 'success', got 'error'"),
        ("reset-rate", "got no reply: ConnectionError"),
    ],
)
async def test_a_misbehaving_server_departs(fault: str, said: str) -> None:
    async with serving("face") as client:
        await client.farm.set_faults(["face"], {fault: 1})
        found = await run_check(client.farm.url("face"), "face")
    assert any(said in departure for departure in found["upload of a JPEG"]), found["upload of a JPEG"]


def test_a_server_that_is_not_there_is_an_error_of_its_own() -> None:
    with pytest.raises(WindmillError, match=r"nothing answers at http://127\.0\.0\.1:1"):
        check_server("127.0.0.1:1", "clip", with_health=False, timeout=1)


CAPTURED = sorted(path.stem for path in REPLIES.glob("*.json"))


@pytest.mark.parametrize("name", [n for n in CAPTURED if n.endswith((".scene", ".plain", ".regions"))])
def test_captured_successes_keep_the_contract(name: str) -> None:
    service = name.partition(".")[0]
    assert judge(expect_success(service, traits_of(service)), _observed(name)) == []


@pytest.mark.parametrize("name", [n for n in CAPTURED if n.endswith((".corrupt", ".oversize", ".noparam", ".rgba"))])
def test_captured_errors_keep_the_contract(name: str) -> None:
    service = name.partition(".")[0]
    assert judge(expect_error(captured(name)["status"], traits_of(service)), _observed(name)) == []


def test_captured_nan_counts_as_numbers() -> None:
    body = (REPLIES / "metadata.nan.txt").read_bytes()
    got = Observation(200, "application/json", body)
    assert judge(expect_success("metadata", traits_of("metadata")), got) == []


def _observed(name: str) -> Observation:
    example = captured(name)
    return Observation(example["status"], example["content_type"], json.dumps(example["body"]).encode())


def test_a_page_must_be_html() -> None:
    assert judge(expect_page(404), Observation(404, "text/html; charset=utf-8", b"<p>")) == []
    assert judge(expect_page(404), Observation(404, "application/json", b"{}")) == [
        "content type: expected text/html, got application/json"
    ]


BOX = {"x": 1, "y": 2, "width": 3, "height": 4}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"confidence": "0.9"}, "confidence: expected number, got string '0.9'"),
        ({"confidence": True}, "confidence: expected number, got boolean True"),
        ({"bbox": [1, 2, 3, 4]}, "bbox: expected object, got list [1, 2, 3, 4]"),
        ({"bbox": BOX | {"x": 1.5}}, "bbox.x: expected integer, got number 1.5"),
        ({"bbox": {"x": 1, "y": 2, "width": 3}}, "bbox.height: expected integer, got nothing"),
        ({"type": "object"}, "type: expected no such key, got string"),
        ({"emoji": None}, "emoji: expected string, got null None"),
        ({"shiny": True, "confidence": 1}, None),
    ],
)
def test_a_prediction_departs_where_it_is_named(change: dict[str, Any], said: str | None) -> None:
    prediction = {"label": "dog", "confidence": 0.5, "bbox": BOX} | change
    assert departures(prediction, prediction_shape("yolov8")) == ([said] if said else [])


def test_a_face_box_has_four_numbers() -> None:
    assert departures([1, 2, 3], ("integer",) * 4) == ["body: expected 4 elements, got 3"]


@pytest.mark.parametrize(
    ("values", "shape"),
    [
        ([{"a": 1}, {"a": 2, "b": "x"}], {"a": "integer", "b?": "string"}),
        ([{"a": 1, "b": 1}, {"a": 1}, {"a": 1, "b": 1}], {"a": "integer", "b?": "integer"}),
        ([1, 1.5, None], "integer|null|number"),
        ([[], [{"a": 1}], []], [{"a": "integer"}]),
        ([[1, "x"]], ["integer|string"]),
    ],
)
def test_a_shape_derived_from_examples_takes_just_what_they_have_in_common(values: list[Any], shape: object) -> None:
    derived = derive(values[0])
    for value in values[1:]:
        derived = merge(derived, derive(value))
    assert derived == shape


def test_structures_differ_when_a_key_a_type_or_a_list_differs() -> None:
    example = {"a": [{"b": 1}], "c": {"d": "x"}}
    assert unlike({"a": [], "c": {"d": ""}, "simulated": True}, example) == []
    assert unlike({"a": [{"b": "1"}], "c": {}}, example) == [
        "a[0].b: expected integer, got string '1'",
        "c.d: expected string, got nothing",
    ]
