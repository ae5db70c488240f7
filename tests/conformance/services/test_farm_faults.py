"""Faults: what a client meets while one is on, and that it is gone when it is off."""

import asyncio
import json
import time

import aiohttp
import pytest

from dev.farm.counts import NO_REPLY
from tests.conformance.services import pictures
from tests.conformance.services.serving import Client, Got, serving
from tests.conformance.services.structure import captured, unlike
from tests.waiting import until

SERVICE = "yolov8"


async def with_faults(client: Client, faults: dict[str, float], service: str = SERVICE) -> Got:
    """The reply to one upload while these faults are on."""
    await client.farm.set_faults([service], faults)
    return await client.upload(service, pictures.PLAIN)


async def test_an_error_is_a_500_in_the_services_envelope() -> None:
    async with serving(SERVICE) as client:
        got = await with_faults(client, {"error-rate": 1})
    assert got.status == 500
    assert unlike(got.document, captured("yolov8.corrupt")["body"]) == []


@pytest.mark.parametrize("service", ["yolov8", "blip", "clip", "detectron2", "inception_v3"])
async def test_a_crash_gives_the_second_error_shape_where_there_is_an_error_handler(service: str) -> None:
    async with serving(service) as client:
        got = await with_faults(client, {"crash-rate": 1}, service)
    assert (got.status, got.document) == (500, captured("any.crash")["body"])


async def test_a_crash_gives_a_page_where_there_is_no_error_handler() -> None:
    async with serving("colors") as client:
        got = await with_faults(client, {"crash-rate": 1}, "colors")
    assert (got.status, got.headers["Content-Type"]) == (500, "text/html; charset=utf-8")


async def test_a_success_status_can_carry_an_error_envelope() -> None:
    async with serving(SERVICE) as client:
        got = await with_faults(client, {"status-error-rate": 1})
    assert (got.status, got.document["status"]) == (200, "error")


@pytest.mark.parametrize("status", [429, 503])
async def test_being_turned_away_says_when_to_come_back(status: int) -> None:
    async with serving(SERVICE) as client:
        got = await with_faults(client, {"overload-rate": 1, "overload-status": status, "retry-after": 7})
    assert (got.status, got.headers["Retry-After"]) == (status, "7")


@pytest.mark.parametrize("fault", ["html-rate", "cut-json-rate", "empty-rate", "binary-rate"])
async def test_a_garbage_body_comes_whole_and_is_no_json(fault: str) -> None:
    async with serving(SERVICE) as client:
        got = await with_faults(client, {fault: 1})
    assert (got.status, int(got.headers["Content-Length"])) == (200, len(got.body))
    with pytest.raises(ValueError, match=r".*"):
        json.loads(got.body)


@pytest.mark.parametrize(
    ("fault", "piece"),
    [("nan-rate", b"NaN,Infinity,-Infinity"), ("nul-rate", rb"\u0000"), ("surrogate-rate", rb"half \ud83d of")],
)
async def test_what_a_database_refuses_stands_in_the_first_prediction(fault: str, piece: bytes) -> None:
    async with serving(SERVICE, "face") as client:
        full, empty = await with_faults(client, {fault: 1}), await with_faults(client, {fault: 1}, "face")
    for got in (full, empty):
        assert piece in got.body
        assert "anomaly" in got.document["predictions"][0]
        assert got.document["status"] == "success"


async def test_predictions_can_be_no_list() -> None:
    async with serving(SERVICE) as client:
        got = await with_faults(client, {"wrong-type-rate": 1})
    assert isinstance(got.document["predictions"], str)


async def test_a_giant_body_has_about_the_size_that_was_set_and_is_valid() -> None:
    async with serving(SERVICE) as client:
        got = await with_faults(client, {"giant-rate": 1, "giant-bytes": 3_000_000})
    assert len(got.body) == pytest.approx(3_000_000, abs=10)
    assert got.document["status"] == "success"


async def test_nesting_is_as_deep_as_was_set() -> None:
    async with serving(SERVICE) as client:
        got = await with_faults(client, {"nesting-rate": 1, "nesting-depth": 50_000})
    assert b"[" * 50_000 + b"]" * 50_000 in got.body
    with pytest.raises(RecursionError):
        json.loads(got.body)


async def test_a_reset_ends_the_connection_without_a_reply() -> None:
    async with serving(SERVICE) as client:
        with pytest.raises(aiohttp.ClientOSError, match=r"reset|disconnected"):
            await with_faults(client, {"reset-rate": 1})
        assert client.farm.handlers[SERVICE].counts.replies["POST /analyze", NO_REPLY] == 1


async def test_a_cut_reply_promises_more_than_it_sends() -> None:
    async with serving(SERVICE) as client:
        with pytest.raises(aiohttp.ClientPayloadError):
            await with_faults(client, {"cut-reply-rate": 1})
        assert client.farm.handlers[SERVICE].counts.replies["POST /analyze", NO_REPLY] == 1


async def test_a_timeout_keeps_silent_until_the_client_leaves() -> None:
    async with serving(SERVICE) as client:
        counts = client.farm.handlers[SERVICE].counts
        await client.farm.set_faults([SERVICE], {"timeout-rate": 1})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.upload(SERVICE, pictures.PLAIN), 0.3)
        await until(lambda: counts.in_flight == 0)
        assert counts.replies["POST /analyze", NO_REPLY] == 1


async def test_a_reply_that_nobody_waits_for_any_more_counts_as_none() -> None:
    async with serving(SERVICE) as client:
        counts = client.farm.handlers[SERVICE].counts
        await client.farm.set_faults([SERVICE], {"slowness": 0.4})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.upload(SERVICE, pictures.PLAIN), 0.2)
        await until(lambda: counts.in_flight == 0)
        assert dict(counts.replies) == {("POST /analyze", NO_REPLY): 1}


async def test_slowness_is_added_to_every_analysis_and_not_to_health() -> None:
    async with serving(SERVICE) as client:
        started = time.perf_counter()
        await with_faults(client, {"slowness": 0.25})
        slow = time.perf_counter() - started
        started = time.perf_counter()
        await client.get(SERVICE, "/health")
        quick = time.perf_counter() - started
    assert slow >= 0.25
    assert quick < slow


async def test_with_limited_capacity_latency_rises_with_load() -> None:
    async with serving(SERVICE) as client:
        await client.farm.set_faults([SERVICE], {"slowness": 0.1, "capacity": 2})
        alone, crowded = await _seconds(client, 2), await _seconds(client, 8)
        await client.farm.clear_faults([SERVICE])
        free = await _seconds(client, 8)
    assert alone >= 0.1
    assert crowded >= 0.4
    assert free < crowded > alone


async def _seconds(client: Client, uploads: int) -> float:
    started = time.perf_counter()
    await asyncio.gather(*(client.upload(SERVICE, pictures.PLAIN) for _ in range(uploads)))
    return time.perf_counter() - started


async def test_down_refuses_connections_and_up_takes_them_on_the_same_port() -> None:
    async with serving(SERVICE, "clip") as client:
        assert (await client.get(SERVICE, "/health")).status == 200
        await client.farm.set_faults([SERVICE], {"down": 1})
        with pytest.raises(aiohttp.ClientConnectorError, match=r"refused|Cannot connect"):
            await client.get(SERVICE, "/health")
        assert (await client.get("clip", "/health")).status == 200
        await client.farm.set_faults([SERVICE], {"down": 0})
        assert (await client.get(SERVICE, "/health")).status == 200


async def test_going_down_cuts_requests_that_are_under_way() -> None:
    async with serving(SERVICE) as client:
        await client.farm.set_faults([SERVICE], {"slowness": 30})
        upload = asyncio.create_task(client.upload(SERVICE, pictures.PLAIN))
        await until(lambda: client.farm.handlers[SERVICE].counts.in_flight == 1)
        started = time.perf_counter()
        await client.farm.set_faults([SERVICE], {"down": 1})
        with pytest.raises(aiohttp.ClientError):
            await upload
    assert time.perf_counter() - started < 3


async def test_overlapping_requests_lose_their_connections_when_overlap_crashes() -> None:
    async with serving("pose") as client:
        await client.farm.set_faults(["pose"], {"overlap-crash": 1, "slowness": 0.1})
        both = await asyncio.gather(*(client.upload("pose", pictures.PLAIN) for _ in range(2)), return_exceptions=True)
        alone = await client.upload("pose", pictures.PLAIN)
    assert all(isinstance(outcome, aiohttp.ClientError) for outcome in both), both
    assert alone.status == 200


async def test_a_service_that_overlap_blinds_finds_nothing_more_until_it_is_cleared() -> None:
    async with serving("yolov8") as client:
        await client.farm.set_faults(["yolov8"], {"overlap-blind": 1, "slowness": 0.1})
        seeing = await _found(client)
        await asyncio.gather(*(_found(client) for _ in range(2)))
        blind = await _found(client)
        counts = client.farm.handlers["yolov8"].counts
        assert (counts.overlaps, counts.render_json()["overlaps"]) == (1, 1)
        await client.farm.clear_faults(["yolov8"])
        healed = await _found(client)
    assert seeing == healed != [] == blind


async def _found(client: Client) -> list[object]:
    answered = await client.upload("yolov8", pictures.scene(0))
    assert answered.status == 200
    found: list[object] = answered.document["predictions"]
    return found


async def test_a_blind_ocr_says_that_there_is_no_text() -> None:
    async with serving("ocr") as client:
        await client.farm.set_faults(["ocr"], {"blind": 1})
        [said] = (await client.upload("ocr", pictures.PLAIN)).document["predictions"]
    assert (said["has_text"], said["text"], said["text_regions"]) == (False, "", [])
