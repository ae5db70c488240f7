"""The broker edge: what is written, published and acknowledged for each outcome, and in which order."""

import asyncio
from dataclasses import replace

import pytest

from tests.unit.world import JOB, World, take
from windmill.errors import Code, DataRefused, WindmillError
from windmill.messages import ATTEMPT_HEADER, encode
from windmill.results import ResultRow
from windmill.services import load_fleet
from windmill.settings import ROOT, Settings
from workers.edge import Edge
from workers.handler import Handler

CLIP = replace(load_fleet(ROOT / "service_config.json").services["clip"], concurrency=2)
SETTINGS = Settings.from_env({"WORKER_ID": "me", "RETRY_DELAYS": "5,10", "MAX_RETRIES": "3"})


@pytest.fixture
def world() -> World:
    made = World()
    made.gate.set()
    return made


@pytest.fixture
def edge(world: World) -> Edge:
    return Edge(
        CLIP,
        SETTINGS,
        Handler(world.read, world, SETTINGS.max_retries),
        world,
        world,
        asyncio.Semaphore(CLIP.concurrency),
        on_unavailable=world.unavailable.append,
        on_answer=world.note_answer,
        on_broken=world.broken.append,
    )


def failing(code: Code) -> WindmillError:
    return WindmillError(code, "because")


async def test_an_answer_is_written_and_only_then_acknowledged(world: World, edge: Edge) -> None:
    await take(edge, world.delivery())
    assert world.events == ["call", "write", "ack"]
    assert world.rows == [
        ResultRow(
            image_id=17,
            service="clip",
            data='{"predictions": []}',
            error_code=None,
            error_message=None,
            processing_time=0.25,
            worker_id="me",
            attempt=1,
            trace_id="trace",
            submitted_at=JOB.submitted_at,
        )
    ]
    assert world.answers == 1
    assert edge.counts == {"Stored": 1}


@pytest.mark.parametrize(("attempt", "delay"), [(1, 5), (2, 10), (3, 10)])
async def test_a_job_that_may_pass_is_republished_with_one_try_more_and_only_then_acknowledged(
    world: World, edge: Edge, attempt: int, delay: float
) -> None:
    world.call_error = failing("SERVICE_ERROR")
    headers = {ATTEMPT_HEADER: attempt, "x-death": [1], "x-delivery-count": 2, "CC": ["queue_ocr"], "mine": "kept"}
    await take(edge, world.delivery(**headers))
    assert world.events == ["call", "retry", "ack"]
    assert world.sent == [("retry", delay, encode(JOB), {ATTEMPT_HEADER: attempt + 1, "mine": "kept"})]
    assert world.rows == []
    assert world.answers == 0


@pytest.mark.parametrize(("code", "attempt"), [("SERVICE_REJECTED", 1), ("SERVICE_ERROR", 4), ("IMAGE_NOT_FOUND", 2)])
async def test_a_job_that_is_given_up_is_written_then_parked_with_its_reason_and_then_acknowledged(
    world: World, edge: Edge, code: Code, attempt: int
) -> None:
    world.call_error = failing(code)
    await take(edge, world.delivery(**{ATTEMPT_HEADER: attempt, "x-death": [1]}))
    assert world.events == ["call", "write", "park", "ack"]
    (row,) = world.rows
    assert (row.data, row.error_code, row.error_message, row.attempt) == (None, code, "because", attempt)
    ((_, _, body, headers),) = world.sent
    assert body == encode(JOB)
    assert headers.pop("windmill-failed-at").startswith("20")
    assert headers == {
        ATTEMPT_HEADER: attempt,
        "windmill-code": code,
        "windmill-reason": "because",
        "windmill-worker": "me",
    }


@pytest.mark.parametrize("code", ["SERVICE_UNREACHABLE", "SERVICE_OVERLOADED"])
async def test_a_service_that_is_down_costs_the_job_no_try(world: World, edge: Edge, code: Code) -> None:
    world.call_error = failing(code)
    await take(edge, world.delivery(**{ATTEMPT_HEADER: 4, "x-death": [1]}))
    assert world.events == ["call", "retry", "ack"]
    assert world.sent == [("retry", 5.0, encode(JOB), {ATTEMPT_HEADER: 4})]
    assert [error.code for error in world.unavailable] == [code]
    assert world.rows == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\x00\x01",
        b"{}",
        b'{"image_id": 1}',
        b'{"image_path": "a", "image_id": ' + b"[" * 1000 + b"]" * 1000 + b"}",
    ],
)
async def test_a_body_that_is_no_job_is_parked_with_its_bytes(world: World, edge: Edge, body: bytes) -> None:
    await take(edge, world.delivery(body, mine="kept"))
    assert world.events == ["park", "ack"]
    ((_, _, parked, headers),) = world.sent
    assert parked == body
    assert headers["windmill-code"] == "BAD_MESSAGE"
    assert headers["mine"] == "kept"
    assert world.rows == []


async def test_a_reply_that_postgresql_refuses_is_written_as_an_error_and_parked(world: World, edge: Edge) -> None:
    world.write_errors = [DataRefused("invalid byte sequence")]
    await take(edge, world.delivery())
    assert world.events == ["call", "write", "park", "ack"]
    assert world.rows[0].error_code == "BAD_RESPONSE"
    assert "invalid byte sequence" in (world.rows[0].error_message or "")
    assert world.rows[0].data is None


async def test_a_job_of_which_postgresql_refuses_even_the_error_is_still_parked(world: World, edge: Edge) -> None:
    world.write_errors = [DataRefused("first"), DataRefused("second")]
    await take(edge, world.delivery())
    assert world.events == ["call", "park", "ack"]
    assert "second" in world.sent[0][3]["windmill-reason"]


async def test_the_reason_in_the_headers_is_short(world: World, edge: Edge) -> None:
    world.call_error = WindmillError("SERVICE_REJECTED", "x" * 100_000)
    await take(edge, world.delivery())
    assert len(world.sent[0][3]["windmill-reason"]) == 500


@pytest.mark.parametrize("code", ["SERVICE_ERROR", "SERVICE_REJECTED", "SERVICE_UNREACHABLE"])
async def test_a_publish_that_fails_leaves_the_delivery_unacknowledged_and_reports_the_session(
    world: World, edge: Edge, code: Code
) -> None:
    world.call_error = failing(code)
    world.send_error = WindmillError("BROKER_UNAVAILABLE", "no confirm")
    await take(edge, world.delivery())
    assert "ack" not in world.events
    assert world.broken == [world.send_error]
    await asyncio.wait_for(edge.drained(), 1)


@pytest.mark.parametrize("where", ["write", "send"])
async def test_a_fault_of_ours_leaves_the_delivery_to_the_next_session_instead_of_holding_it(
    world: World, edge: Edge, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    if where == "write":
        world.write_errors = [TypeError("oops")]
    else:
        world.call_error, world.send_error = failing("SERVICE_ERROR"), TypeError("oops")
    await take(edge, world.delivery())
    assert "ack" not in world.events
    assert [error.code for error in world.broken] == ["BROKER_UNAVAILABLE"]
    assert any(record.exc_info for record in caplog.records)
    assert edge.in_progress == 0


async def test_no_more_jobs_run_at_a_time_than_the_service_bears(world: World, edge: Edge) -> None:
    world.gate.clear()
    takes = [asyncio.create_task(take(edge, world.delivery())) for _ in range(6)]
    await asyncio.sleep(0.01)
    assert (world.calling, edge.in_progress) == (2, 6)
    world.gate.set()
    await asyncio.gather(*takes)
    assert world.most_calling == 2
    assert world.events.count("ack") == 6


async def test_a_closed_edge_hands_back_what_has_not_begun_and_finishes_what_has(world: World, edge: Edge) -> None:
    world.gate.clear()
    takes = [asyncio.create_task(take(edge, world.delivery())) for _ in range(5)]
    await asyncio.sleep(0.01)
    edge.close()
    world.gate.set()
    await asyncio.gather(*takes, take(edge, world.delivery()))
    assert world.events.count("call") == 2
    assert world.events.count("ack") == 2
    assert world.events.count("hand back") == 4
    assert len(world.rows) == 2


async def test_an_edge_is_drained_when_the_last_delivery_is_settled(world: World, edge: Edge) -> None:
    await asyncio.wait_for(edge.drained(), 1)
    world.gate.clear()
    takes = [asyncio.create_task(take(edge, world.delivery())) for _ in range(3)]
    await asyncio.sleep(0.01)
    drained = asyncio.create_task(edge.drained())
    await asyncio.sleep(0.01)
    assert not drained.done()
    world.gate.set()
    await asyncio.wait_for(drained, 1)
    assert world.events.count("ack") == 3
    await asyncio.gather(*takes)


async def test_a_cancelled_job_is_neither_written_nor_acknowledged(world: World, edge: Edge) -> None:
    world.gate.clear()
    task = asyncio.create_task(take(edge, world.delivery()))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.events == []
    assert edge.in_progress == 0
