"""The stand-ins' replies have the structure of replies captured from the real services."""

import json
import math
from pathlib import Path

import pytest

from dev.farm.contract import TRAITS
from tests.conformance.services import pictures
from tests.conformance.services.serving import SERVICES, Got, serving
from tests.conformance.services.structure import REPLIES, captured, unlike

CASES = ("corrupt", "oversize", "noparam")


def assert_like(got: Got, name: str, *more: str) -> None:
    """Status, type and structure of the reply are those of the fixtures."""
    example = captured(name)
    assert (got.status, got.headers["Content-Type"]) == (example["status"], example["content_type"])
    assert unlike(got.document, example["body"], *(captured(other)["body"] for other in more)) == []


@pytest.mark.parametrize("service", SERVICES)
async def test_a_scene_is_answered_in_the_real_shape(service: str) -> None:
    seen = 0
    async with serving(service) as client:
        for index in range(6):
            got = await client.upload(service, pictures.scene(index))
            assert_like(got, f"{service}.scene", f"{service}.plain")
            seen += len(got.document["predictions"])
    assert seen > 0, "no scene gave a single prediction, so no prediction was compared"


@pytest.mark.parametrize("service", SERVICES)
async def test_a_plain_picture_is_answered_in_the_real_shape(service: str) -> None:
    async with serving(service) as client:
        got = await client.upload(service, pictures.PLAIN)
    assert_like(got, f"{service}.plain", f"{service}.scene")


@pytest.mark.parametrize("service", ["face", "pose"])
async def test_nobody_is_found_on_a_picture_without_people(service: str) -> None:
    async with serving(service) as client:
        got = await client.upload(service, pictures.PLAIN)
    assert (got.document["status"], got.document["predictions"]) == ("success", [])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("service", SERVICES)
async def test_an_error_has_the_real_shape(service: str, case: str) -> None:
    async with serving(service) as client:
        if case == "noparam":
            got = await client.get(service)
        else:
            data = pictures.NOT_A_PICTURE if case == "corrupt" else pictures.OVERSIZE
            got = await client.upload(service, data)
    assert_like(got, f"{service}.{case}")
    assert got.document["service"] == TRAITS[service].reply_name
    if case != "corrupt":
        assert got.document["error"]["message"][:15] == captured(f"{service}.{case}")["body"]["error"]["message"][:15]


@pytest.mark.parametrize("service", SERVICES)
async def test_health_has_the_real_shape_also_when_it_is_bad(service: str) -> None:
    async with serving(service) as client:
        well = await client.get(service, "/health")
        await client.farm.set_faults([service], {"unhealthy": 1})
        ill = await client.get(service, "/health")
    assert_like(well, f"{service}.health")
    assert_like(ill, f"{service}.unhealthy")
    assert ill.document["status"] == captured(f"{service}.unhealthy")["body"]["status"]


@pytest.mark.parametrize("service", SERVICES)
async def test_unknown_paths_and_wrong_methods_get_html_pages(service: str) -> None:
    async with serving(service) as client:
        lost = [await client.get(service, path) for path in ("/", "/analyze/", "/health/", "/nowhere")]
        wrong = [
            await client.request(service, method, path)
            for method, path in (("PUT", "/analyze"), ("POST", "/health"), ("POST", "/v2/analyze"))
        ]
    for got, name in [(got, "any.404") for got in lost] + [(got, "any.405") for got in wrong]:
        example = captured(name)
        assert (got.status, got.headers["Content-Type"]) == (example["status"], example["content_type"])
        assert got.body.decode().split("<p>")[0] == example["body"].split("<p>")[0]
    assert all("GET" in got.headers["Allow"] for got in wrong)


async def test_metadata_sends_bare_nan_for_a_picture_of_one_pixel() -> None:
    async with serving("metadata") as client:
        got = await client.upload("metadata", pictures.ONE_PIXEL)
    example = (REPLIES / "metadata.nan.txt").read_text(encoding="utf-8")
    assert unlike(got.document, json.loads(example)) == []
    assert got.body.count(b"NaN") == example.count("NaN") == 11
    thirds = got.document["predictions"][0]["composition"]["rule_of_thirds"]
    assert all(math.isnan(brightness) for brightness in thirds["section_brightness"])


async def test_metadata_refuses_transparency_in_the_real_shape() -> None:
    async with serving("metadata") as client:
        assert_like(await client.upload("metadata", pictures.TRANSPARENT, "image.png"), "metadata.rgba")


async def test_ollama_refuses_a_temperature_that_is_no_number() -> None:
    async with serving("ollama") as client:
        got = await client.upload("ollama", pictures.PLAIN, temperature="warm")
    assert_like(got, "ollama.badtemperature")


async def test_colors_by_regions_says_how_many_regions_and_colours() -> None:
    async with serving("colors") as client:
        replies = {n: await client.upload("colors", pictures.scene(0), regions=n) for n in ("4", "9", "7")}
        whole = await client.upload("colors", pictures.scene(0), regions="1")
    assert_like(replies["4"], "colors.regions")
    analysed = {n: got.document["metadata"]["regions_analyzed"] for n, got in replies.items()}
    assert analysed == {"4": 4, "9": 9, "7": 4}
    for got in replies.values():
        hexes = [color["hex"] for color in got.document["predictions"][0]["palette"]["colors"]]
        assert len(hexes) == len(set(hexes)) == got.document["metadata"]["unique_colors_found"]
    assert "regions_analyzed" not in whole.document["metadata"]


async def test_clip_scores_a_caption_in_the_real_shape(tmp_path: Path) -> None:
    path = str(tmp_path / "scene.jpg")
    (tmp_path / "scene.jpg").write_bytes(pictures.scene(0))
    async with serving("clip") as client:
        by_query = await client.get("clip", "/score", caption="a dog", file=path)
        by_json = await client.request("clip", "POST", "/v3/score", json={"caption": "a dog", "file": path})
        by_form = await client.request("clip", "POST", "/score", data={"caption": "a dog", "file": path})
        nothing = await client.get("clip", "/score", file=path)
    for got in (by_query, by_json, by_form):
        assert_like(got, "clip.score")
        assert got.document["similarity_score"] == by_query.document["similarity_score"]
    assert_like(nothing, "clip.score-nocaption")
