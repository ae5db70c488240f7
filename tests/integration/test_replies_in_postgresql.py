"""What the judge stores is taken by a real PostgreSQL, as json and as jsonb."""

import asyncio

import asyncpg
import pytest
from hypothesis import given, settings

from tests.unit.hostile_replies import answers, any_digits, damaged, replies, steady
from windmill.calling.reply_parser import parse_reply
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.storage import database

pytestmark = pytest.mark.database


def examples() -> list[str]:
    """What the judge stores of several hundred replies that were made to hurt."""
    stored: list[str] = []

    @settings(steady, max_examples=200)
    @given(replies(answers))
    def hostile(body: bytes) -> None:
        stored.append(parse_reply(200, body).data)

    @settings(steady, max_examples=100)
    @given(any_digits)
    def numbers(digits: str) -> None:
        stored.append(parse_reply(200, f'{{"status": "success", "predictions": [{{"n": {digits}}}]}}'.encode()).data)

    @settings(steady, max_examples=100)
    @given(damaged())
    def broken(body: bytes) -> None:
        try:
            stored.append(parse_reply(200, body).data)
        except WindmillError:
            return

    hostile()
    numbers()
    broken()
    return stored


async def test_what_is_stored_is_json_and_jsonb_to_postgresql(settings: Settings) -> None:
    texts = await asyncio.to_thread(examples)
    assert len(texts) > 250
    async with database.connection(settings, "test") as connection:
        for text in texts:
            for kind in ("json", "jsonb"):
                assert await connection.fetchval(f"SELECT $1::text::{kind} ->> 'status'", text) == "success"


async def test_an_answer_as_deep_as_the_judge_takes_is_taken_too(settings: Settings) -> None:
    def nested(depth: int) -> bytes:
        return b'{"status": "success", "predictions": [], "deep": ' + b"[" * depth + b"]" * depth + b"}"

    deepest = max(depth for depth in range(1000, 1100) if judged(nested(depth)))
    async with database.connection(settings, "test") as connection:
        taken = await connection.fetchval("SELECT $1::text::jsonb ->> 'status'", parse_reply(200, nested(deepest)).data)
    assert taken == "success"


def judged(body: bytes) -> bool:
    try:
        return bool(parse_reply(200, body))
    except WindmillError:
        return False


@pytest.mark.parametrize("spoilt", ["NaN", "Infinity", '"\\u0000"', '"\\ud800"', "1e-20000", "1e200000"])
async def test_what_the_judge_mends_would_be_refused_by_jsonb(settings: Settings, spoilt: str) -> None:
    async with database.connection(settings, "test") as connection:
        with pytest.raises(asyncpg.DataError):
            await connection.fetchval("SELECT $1::text::jsonb", f"[{spoilt}]")
