"""The answers of a blind service on a real PostgreSQL: which are marked, when, and that each is asked again once."""

import json
from collections.abc import Sequence

import orjson
import pytest

from tests.integration.fleet import Fleet
from windmill.core.errors import WindmillError
from windmill.core.services import CanaryKind
from windmill.core.settings import Settings
from windmill.edge.blind_answers import ask_batch_again
from windmill.storage import database
from windmill.storage.canaries import CanaryNotes

pytestmark = [pytest.mark.database, pytest.mark.broker]

NOTHING: dict[str, Sequence[object]] = {
    "face": [],
    "body": [],
    "words": [{"text": "", "has_text": False}],
    "color": [{"palette": {}}],
}
SOMETHING: dict[str, Sequence[object]] = {
    "face": [{"label": "face"}],
    "body": [{"landmarks": {}}],
    "words": [{"text": "WINDMILL"}],
    "color": [{"primary": {"hex": "#c8202f"}}],
}
KINDS: dict[str, CanaryKind] = {"face": "face", "pose": "body", "ocr": "words", "colors": "color"}


async def answered(fleet: Fleet, service: str, image_id: int, predictions: Sequence[object]) -> None:
    """An image's answer, and that of one of its boxes."""
    data = json.dumps({"predictions": predictions})
    await fleet.rows.execute(
        "INSERT INTO results (image_id, service, status, data) VALUES ($1, $2, 'success', $3)", image_id, service, data
    )
    await fleet.rows.execute(
        "INSERT INTO postprocessing (image_id, box_key, service, status, data) VALUES ($1, 'one', $2, 'success', $3)",
        image_id,
        service,
        data,
    )


async def marked(fleet: Fleet) -> list[int]:
    rows = await fleet.rows.fetch("SELECT image_id FROM results WHERE error_code = 'SERVICE_BLIND' ORDER BY image_id")
    return [row["image_id"] for row in rows]


async def boxes(fleet: Fleet) -> list[int]:
    rows = await fleet.rows.fetch("SELECT image_id FROM postprocessing ORDER BY image_id")
    return [row["image_id"] for row in rows]


@pytest.mark.parametrize("service", KINDS)
async def test_empty_answers_since_the_last_good_canary_are_asked_again_once(
    fleet: Fleet, settings: Settings, service: str
) -> None:
    kind = KINDS[service]
    before, blind, sharp, unknown = [*await fleet.register(3), 999]
    asked: list[tuple[int, Sequence[str]]] = []

    async def publish(body: bytes, services: Sequence[str]) -> None:
        asked.append((orjson.loads(body)["image_id"], services))

    async with database.pool(settings, "test") as pool:
        notes = CanaryNotes(pool, settings, settle_seconds=0)
        assert not await notes.missed(service), "it never found its canary"
        await answered(fleet, service, before, NOTHING[kind])
        assert not await notes.found(service, kind, 0)
        await answered(fleet, service, blind, NOTHING[kind])
        await answered(fleet, service, sharp, SOMETHING[kind])
        await answered(fleet, service, unknown, NOTHING[kind])
        assert await notes.missed(service)
        assert await marked(fleet) == []
        while await notes.found(service, kind, 0):
            pass
        assert await marked(fleet) == [blind, unknown]
        assert await boxes(fleet) == [before, sharp]
        assert [await ask_batch_again(pool, settings, [service], publish) for _ in range(2)] == [2, 0]
        assert not await notes.found(service, kind, 0)
    assert asked == [(blind, [service])]
    assert await marked(fleet) == [blind, unknown]


async def test_what_was_answered_since_the_recovery_counts_again_in_the_next_blindness(
    fleet: Fleet, settings: Settings
) -> None:
    """Another process may have called an address meanwhile that only the first knew to be blind."""
    [late] = await fleet.register(1)
    async with database.pool(settings, "test") as pool:
        recovers = CanaryNotes(pool, settings, settle_seconds=3600)
        notes = CanaryNotes(pool, settings, settle_seconds=0)
        await recovers.found("face", "face", 0)
        assert await recovers.missed("face")
        assert await recovers.found("face", "face", 0)
        await answered(fleet, "face", late, NOTHING["face"])
        assert not await notes.found("face", "face", 0)
        assert await marked(fleet) == []
        assert await notes.missed("face")
        while await notes.found("face", "face", 0):
            pass
    assert await marked(fleet) == [late]


async def test_a_job_that_cannot_be_published_keeps_its_mark(fleet: Fleet, settings: Settings) -> None:
    [image_id] = await fleet.register(1)
    await fleet.rows.execute("INSERT INTO blind_answers (service, image_id) VALUES ('face', $1)", image_id)

    async def fails(body: bytes, services: Sequence[str]) -> None:
        raise WindmillError("BROKER_UNAVAILABLE", "refused")

    async with database.pool(settings, "test") as pool:
        with pytest.raises(WindmillError, match="refused"):
            await ask_batch_again(pool, settings, ["face"], fails)
    assert await fleet.rows.fetchval("SELECT count(*) FROM blind_answers") == 1
