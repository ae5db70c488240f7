"""How a stand-in understands requests and how its replies look on the wire."""

import json
from pathlib import Path
from random import Random

import pytest

from dev.farm.contract import FRAMEWORK, TRAITS
from dev.farm.prediction_pool import similarity, with_shiny
from tests.conformance.services import pictures
from tests.conformance.services.serving import SERVICES, serving

BOUNDARY = "--x\r\nContent-Disposition: form-data; name={}\r\n\r\n"


async def test_json_is_sorted_compact_ascii_and_ends_with_a_newline() -> None:
    async with serving("blip") as client:
        got = await client.upload("blip", pictures.scene(0))
    document = got.document
    assert any(ord(c) > 127 for c in json.dumps(document, ensure_ascii=False)), "needs an emoji to tell anything"
    assert got.body == json.dumps(document, sort_keys=True, separators=(",", ":")).encode() + b"\n"


async def test_every_reply_closes_the_connection_and_allows_every_origin() -> None:
    async with serving("colors") as client:
        replies = [
            await client.upload("colors", pictures.PLAIN),
            await client.get("colors"),
            await client.get("colors", "/nowhere"),
            await client.get("colors", "/health"),
        ]
    assert {got.headers["Connection"] for got in replies} == {"close"}
    assert {got.headers["Access-Control-Allow-Origin"] for got in replies} == {"*"}


async def test_connections_live_on_when_keep_alive_is_asked_for() -> None:
    async with serving("colors", keep_alive=True) as client:
        got = await client.get("colors", "/health")
    assert got.headers.get("Connection") != "close"


@pytest.mark.parametrize("service", SERVICES)
async def test_a_stand_in_never_passes_for_a_model(service: str) -> None:
    async with serving(service) as client:
        got = await client.upload(service, pictures.PLAIN)
    assert got.document["metadata"]["model_info"]["framework"] == FRAMEWORK


async def test_only_an_answer_without_ground_is_marked_as_simulated() -> None:
    async with serving("yolov8", "colors") as client:
        drawn = await client.upload("yolov8", pictures.scene(0))
        made_up = await client.upload("yolov8", pictures.PLAIN)
        measured = await client.upload("colors", pictures.PLAIN)
    marks = [got.document["metadata"]["model_info"].get("simulated") for got in (drawn, made_up, measured)]
    assert marks == [None, True, None]


async def test_processing_time_has_at_most_three_decimals() -> None:
    async with serving("metadata") as client:
        got = await client.upload("metadata", pictures.scene(1))
    seconds = got.document["metadata"]["processing_time"]
    assert seconds == round(seconds, 3)
    assert 0 <= seconds < 10


@pytest.mark.parametrize(("service", "name"), [("yolov8", "yolo"), ("inception_v3", "inception"), ("clip", "clip")])
async def test_replies_carry_the_services_own_name(service: str, name: str) -> None:
    async with serving(service) as client:
        good, bad = await client.upload(service, pictures.PLAIN), await client.get(service)
    assert (good.document["service"], bad.document["service"]) == (name, name)


@pytest.mark.parametrize("path", ["/analyze", "/v3/analyze"])
async def test_both_analyze_paths_take_uploads_and_paths(path: str, tmp_path: Path) -> None:
    (tmp_path / "p.jpg").write_bytes(pictures.PLAIN)
    async with serving("face") as client:
        assert (await client.upload("face", pictures.PLAIN, path=path)).status == 200
        assert (await client.get("face", path, file=str(tmp_path / "p.jpg"))).status == 200


async def test_deprecated_paths_take_their_own_parameters_only(tmp_path: Path) -> None:
    (tmp_path / "p.jpg").write_bytes(pictures.PLAIN)
    path = str(tmp_path / "p.jpg")
    async with serving("rtdetr") as client:
        statuses = [
            (await client.get("rtdetr", "/v2/analyze_file", file_path=path)).status,
            (await client.get("rtdetr", "/v2/analyze_file", file=path)).status,
            (await client.get("rtdetr", "/v2/analyze", url="http://127.0.0.1:1/")).status,
        ]
    assert statuses == [200, 400, 400]


async def test_only_clip_takes_a_trailing_slash_and_only_on_deprecated_paths() -> None:
    async with serving("clip", "rtdetr") as client:
        assert (await client.get("clip", "/v2/analyze/")).status == 400
        assert (await client.get("rtdetr", "/v2/analyze/")).status == 404
        assert (await client.get("clip", "/analyze/")).status == 404


@pytest.mark.parametrize("service", SERVICES)
async def test_what_is_not_provided_is_said(service: str) -> None:
    async with serving(service) as client:
        nothing = await client.get(service)
        raw = await client.request(service, "POST", "/analyze", data=b"x", headers={"Content-Type": "image/png"})
        form = await client.request(service, "POST", "/analyze", data={"url": "http://127.0.0.1:1/x.jpg"})
    for got in (nothing, raw, form):
        assert (got.status, got.document["error"]["message"][:12].lower()) == (400, "must provide")


@pytest.mark.parametrize("disposition", ["file", 'file; filename=""'])
async def test_a_file_field_without_a_file_name_is_no_file(disposition: str) -> None:
    body = BOUNDARY.format(disposition).encode() + pictures.PLAIN + b"\r\n--x--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    async with serving("colors") as client:
        got = await client.request("colors", "POST", "/analyze", data=body, headers=headers)
    assert got.status == 400


@pytest.mark.parametrize("scheme", ["ws", "ftp", "file"])
async def test_only_http_urls_are_fetched(scheme: str, website: str) -> None:
    async with serving("colors") as client:
        allowed = await client.get("colors", url=f"{website}/picture")
        refused = await client.get("colors", url=f"{website.replace('http', scheme)}/picture")
    assert (allowed.status, refused.status) == (200, 400)


async def test_ollama_repeats_prompt_and_model_from_query_or_form() -> None:
    async with serving("ollama") as client:
        query = await client.upload("ollama", pictures.PLAIN, prompt="Count.", model="big", temperature="0.5")
        plain = await client.upload("ollama", pictures.PLAIN)
        body = BOUNDARY.format("prompt") + "Count.\r\n" + BOUNDARY.format('"file"; filename="p.jpg"')
        form = await client.request(
            "ollama",
            "POST",
            "/analyze",
            data=body.encode() + pictures.PLAIN + b"\r\n--x--\r\n",
            headers={"Content-Type": "multipart/form-data; boundary=x"},
        )
    infos = [got.document["metadata"]["model_info"] for got in (query, plain, form)]
    assert [info["prompt"] for info in infos][::2] == ["Count.", "Count."]
    assert infos[0]["model"] == "big"
    assert infos[1]["prompt"] != "Count."


@pytest.mark.parametrize(("service", "number"), [("detectron2", 81), ("yolov8", 80), ("inception_v3", 80)])
async def test_classes_are_listed_where_the_real_service_lists_them(service: str, number: int) -> None:
    async with serving(service, "rtdetr") as client:
        got, other = await client.get(service, "/classes"), await client.get("rtdetr", "/classes")
    assert len(got.document["classes"]) == number
    assert other.status == 404


async def test_options_names_the_methods_and_head_sends_no_body() -> None:
    async with serving("colors") as client:
        options = await client.request("colors", "OPTIONS", "/analyze")
        head = await client.request("colors", "HEAD", "/health")
    assert (options.status, options.headers["Allow"]) == (200, "GET, HEAD, OPTIONS, POST")
    assert (head.status, head.body) == (200, b"")


async def test_a_service_unknown_to_the_farm_answers_with_an_empty_simulated_envelope() -> None:
    async with serving("depth") as client:
        good = await client.upload("depth", pictures.PLAIN, "image")
        bad, health = await client.get("depth"), await client.get("depth", "/health")
    assert good.document["predictions"] == []
    assert good.document["service"] == "depth"
    assert good.document["metadata"]["model_info"] == {"framework": FRAMEWORK, "simulated": True}
    assert (bad.status, health.document["status"]) == (400, "healthy")


async def test_the_same_seed_gives_the_same_answer_in_another_farm() -> None:
    bodies = []
    for seed in (5, 5, 6):
        async with serving("yolov8", seed=seed) as client:
            replies = [(await client.upload("yolov8", pictures.scene(n))).document["predictions"] for n in range(3)]
        bodies.append(replies)
    assert bodies[0] == bodies[1] != bodies[2]


def test_one_prediction_in_2500_is_shiny() -> None:
    shiny = with_shiny([{"label": "dog"}] * 50_000, Random(1))
    marked = [p for p in shiny if "shiny" in p]
    assert 8 <= len(marked) <= 36
    assert all(p["shiny"] is True for p in marked)


def test_a_caption_that_names_what_is_seen_scores_higher() -> None:
    seen = [{"label": "dog"}, {"label": "park"}]
    good, bad = similarity("a dog in a park", seen, 0), similarity("the ocean", seen, 0)
    assert 0 < bad < good < 0.4


def test_the_names_in_replies_are_those_of_the_contract() -> None:
    odd = {name: traits.reply_name for name, traits in TRAITS.items() if traits.reply_name != name}
    assert odd == {"yolov8": "yolo", "inception_v3": "inception"}
