"""Readers of events: each event once and in order, whether it comes from memory, from the database or out of order."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.events.feed import EventFeed
from gateway.events.frames import HEARTBEAT, body_of, control, opening
from gateway.events.readers import MOST, EventReader, FellBehind, FleetReader, JobReader
from gateway.events.stream import StreamCounts, frames_of
from tests.waiting import until
from windmill.core.errors import WindmillError
from windmill.operate.jobs.event_stream import START, JobSeq, StreamedEvent, StreamPlace, parse_place
from windmill.process.runner import background

JOB = uuid.UUID(int=1)


def event(
    number: int, seq: int | None = None, principal: str = "ann", job: uuid.UUID = JOB, kind: str = "queued"
) -> StreamedEvent:
    told: dict[str, Any] = {"at": "2026-01-01", "level": "info", "position": None, "shard": None, "data": {}}
    place = StreamPlace(number, number)
    return StreamedEvent(place, JobSeq(job, number if seq is None else seq), principal, kind, told)


def end(number: int, principal: str = "ann") -> StreamedEvent:
    told = {"at": "2026-01-01", "run": 7, "batch": None, "data": {}}
    return StreamedEvent(StreamPlace(number, number), None, principal, "run.succeeded", told)


class Table:
    """The events of a database, and how often somebody asked for the newest."""

    def __init__(self) -> None:
        self.events: list[StreamedEvent] = []
        self.asked = 0

    def write(self, *events: StreamedEvent) -> None:
        self.events += events

    async def newest(self, after: StreamPlace, most: int) -> list[StreamedEvent]:
        self.asked += 1
        return [one for one in self.events if one.place > after][:most]

    async def older(self, after: StreamPlace, bound: StreamPlace) -> list[StreamedEvent]:
        return [one for one in self.events if after < one.place <= bound and one.principal == "ann"][:MOST]

    async def end(self) -> StreamPlace:
        return self.events[-1].place if self.events else START

    async def log(self, after: int) -> Sequence[dict[str, Any]]:
        found = [(one.job.seq, one) for one in self.events if one.job and one.job.public_id == JOB]
        rows = sorted(((seq, one) for seq, one in found if seq > after), key=lambda row: row[0])
        return [{"seq": seq, "kind": one.kind, **one.told} for seq, one in rows[:MOST]]


@asynccontextmanager
async def feeding(table: Table, kept: int = 100) -> AsyncIterator[EventFeed]:
    feed = EventFeed(table.newest, table.end, kept=kept, poll=0.001)
    async with background(feed.run()):
        yield feed


def ids(frames: Sequence[bytes]) -> list[str]:
    return re.findall(r"^id: (\S+)$", b"".join(frames).decode(), re.MULTILINE)


async def caught_up(feed: EventFeed, table: Table) -> None:
    await until(lambda: feed.last == table.events[-1].place)


async def test_what_is_older_comes_from_the_database_and_the_rest_from_memory() -> None:
    table = Table()
    table.write(*(event(number) for number in range(1, 1_201)))
    async with feeding(table) as feed:
        reader = FleetReader(feed, table.older, StreamPlace(100, 100), "ann")
        await feed.join()
        table.write(event(1_201), event(1_202, principal="bob"), event(1_203))
        await caught_up(feed, table)
        seen: list[str] = []
        while frames := await reader.take():
            seen += ids(frames)
    assert seen == [f"{number}-{number}" for number in [*range(101, 1_202), 1_203]]


async def test_all_readers_are_fed_by_one_question_and_nobody_asks_when_nobody_reads() -> None:
    table = Table()
    async with feeding(table) as feed:
        for _ in range(100):
            await feed.join()
        readers = [FleetReader(feed, table.older, START, "ann") for _ in range(100)]
        table.write(event(1))
        await caught_up(feed, table)
        before = table.asked
        assert all([ids(await reader.take()) == ["1-1"] for reader in readers])
        assert table.asked == before
        for _ in range(100):
            feed.leave()
        await until(lambda: feed.after(START, 1) == [])


async def test_many_events_of_others_hold_up_nobody() -> None:
    table = Table()
    async with feeding(table, kept=5_000) as feed:
        await feed.join()
        reader = FleetReader(feed, table.older, START, "ann")
        table.write(*(event(number, principal="bob") for number in range(1, 2 * MOST)), event(2 * MOST))
        await caught_up(feed, table)
        assert ids(await reader.take()) == [f"{2 * MOST}-{2 * MOST}"]


async def test_the_end_of_a_run_is_told_to_whoever_may_see_it_and_to_no_reader_of_a_job() -> None:
    table = Table()
    table.write(event(1, seq=1))
    async with feeding(table) as feed:
        await feed.join()
        ann, bob = (FleetReader(feed, table.older, StreamPlace(1, 1), one) for one in ("ann", "bob"))
        of_job = JobReader(feed, table.log, JOB, 1)
        assert ids(await of_job.take()) == []
        table.write(end(2), end(3, principal="bob"), end(4), event(5, seq=2))
        await caught_up(feed, table)
        assert [ids(await reader.take()) for reader in (bob, of_job)] == [["3-3"], ["2"]]
        frames = await ann.take()
        assert ids(frames) == ["2-2", "4-4", "5-5"]
        assert b"event: run.succeeded\n" in frames[0]
        assert b'"run":7' in frames[0]
        assert b'"job"' not in frames[0]


async def test_ends_leave_the_memory_as_events_do() -> None:
    table = Table()
    async with feeding(table, kept=3) as feed:
        await feed.join()
        table.write(*(end(number) if number % 2 else event(number) for number in range(1, 11)))
        await caught_up(feed, table)
        kept = feed.after(StreamPlace(7, 7), 10)
        assert [one.place.event_id for one in kept or ()] == [8, 9, 10]
        assert feed.after(StreamPlace(6, 6), 10) is None


async def test_events_of_a_job_that_come_out_of_order_are_told_in_order() -> None:
    table = Table()
    table.write(event(1, seq=1))
    async with feeding(table) as feed:
        await feed.join()
        reader = JobReader(feed, table.log, JOB, 0)
        assert ids(await reader.take()) == ["1"]
        # The second to write had begun its transaction before the first.
        table.write(event(2, seq=3), event(3, seq=2), event(4, seq=1, job=uuid.UUID(int=2)), event(5, seq=4))
        await caught_up(feed, table)
        seen = []
        while frames := await reader.take():
            seen += ids(frames)
    assert seen == ["2", "3", "4"]


async def test_a_long_log_is_read_page_by_page() -> None:
    table = Table()
    table.write(*(event(number) for number in range(1, 2 * MOST + 3)))
    async with feeding(table) as feed:
        await feed.join()
        reader, seen = JobReader(feed, table.log, JOB, 1), []
        while frames := await reader.take():
            seen += ids(frames)
    assert seen == [str(number) for number in range(2, 2 * MOST + 3)]


async def test_a_reader_that_is_too_slow_is_dropped_and_told() -> None:
    table = Table()
    async with feeding(table, kept=10) as feed:
        await feed.join()
        reader = FleetReader(feed, table.older, START, "ann")
        assert await reader.take() == []
        table.write(*(event(number) for number in range(1, 50)))
        await caught_up(feed, table)
        with pytest.raises(FellBehind):
            await reader.take()
        told = [piece async for piece in frames_of(feed, reader, admitted)]
    assert [piece for piece in told if piece.startswith(b"event: dropped\n")] == told[1:]


async def admitted() -> None:
    """The key is good."""


class Silent(EventReader):
    last = 7
    is_over = False

    async def take(self) -> list[bytes]:
        return []


async def test_a_stream_begins_with_its_place_and_beats_without_an_id() -> None:
    feed = EventFeed(Table().newest, Table().end)
    pieces = frames_of(feed, Silent(), admitted, heartbeat=0.001)
    first = await anext(pieces)
    assert re.fullmatch(rb"retry: \d{4}\nid: 7\n\n", first)
    assert await anext(pieces) == HEARTBEAT
    feed.close()
    rest = [piece async for piece in pieces]
    assert rest[-1] == control("reconnect", "the gateway stops")
    assert not ids(rest)


async def test_a_stream_ends_with_the_key_and_when_it_is_old() -> None:
    async def revoked() -> None:
        raise WindmillError("AUTH_INVALID", "the key is not good")

    feed = EventFeed(Table().newest, Table().end)
    told = [piece async for piece in frames_of(feed, Silent(), revoked, heartbeat=0)]
    assert told[1:] == [control("reconnect", "AUTH_INVALID")]
    old = [piece async for piece in frames_of(feed, Silent(), admitted, most_seconds=0)]
    assert old[1:] == [control("reconnect", "the connection is old")]


async def test_a_reader_waits_for_news_and_no_longer() -> None:
    table = Table()
    async with feeding(table) as feed:
        await feed.join()
        pieces = frames_of(feed, FleetReader(feed, table.older, START, "ann"), admitted)
        await anext(pieces)
        waiting = asyncio.ensure_future(anext(pieces))
        table.write(event(1))
        assert ids([await asyncio.wait_for(waiting, 10)]) == ["1-1"]


def test_a_key_has_so_many_streams_and_no_more() -> None:
    counts = StreamCounts(2)
    counts.enter("a")
    counts.enter("a")
    counts.enter("b")
    with pytest.raises(WindmillError, match="RATE_LIMIT_EXCEEDED"):
        counts.enter("a")
    counts.leave("a")
    counts.enter("a")


def test_frames_tell_of_no_folder_and_control_frames_have_no_id() -> None:
    one = event(1)
    told = {**one.told, "data": {"message": "cannot read /srv/secret/a.jpg", "n": 1}}
    body = body_of(StreamedEvent(one.place, JobSeq(JOB, 1), "ann", "warning", told))
    assert b"/srv/secret" not in body
    assert body.startswith(b"event: warning\ndata: {")
    assert body.count(b"\n") == 3
    assert b"id:" not in control("resync", "x") + HEARTBEAT
    assert opening("1-2", 1_000) == b"retry: 1000\nid: 1-2\n\n"
    assert [parse_place(text) for text in ("3-4", "3", "x-1", "1-2-3", "")] == [
        StreamPlace(3, 4),
        None,
        None,
        None,
        None,
    ]


async def test_what_was_read_before_the_stream_began_is_not_read_again() -> None:
    table = Table()
    table.write(event(1), event(2))
    async with feeding(table) as feed:
        await feed.join()
        asked = 0

        async def log(after: int) -> Sequence[dict[str, Any]]:
            nonlocal asked
            asked += 1
            return await table.log(after)

        reader = JobReader(feed, log, JOB, 1)
        await reader.begin()
        assert reader.last == 1, "nothing of it was sent yet"
        table.write(event(3))
        await caught_up(feed, table)
        assert [ids(await reader.take()), ids(await reader.take())] == [["2"], ["3"]]
        assert asked == 1


ENDED = control("ended", "the job has ended, and nothing more is to come")


@pytest.mark.parametrize("number", [2, MOST - 1, MOST, MOST + 1])
async def test_the_stream_of_a_job_that_has_ended_ends_after_its_last_event(number: int) -> None:
    table = Table()
    table.write(*(event(one) for one in range(1, number)), event(number, kind="failed"))
    async with feeding(table) as feed:
        await feed.join()
        for seen in (0, 1):
            reader = JobReader(feed, table.log, JOB, seen)
            await reader.begin()
            assert not reader.is_over
            told = [piece async for piece in frames_of(feed, reader, admitted)]
            assert ids(told) == [str(one) for one in [seen, *range(seen + 1, number + 1)]]
            assert told[-1] == ENDED
        reader = JobReader(feed, table.log, JOB, number)
        await reader.begin()
        assert reader.is_over, "who has seen its end need not wait for more"


async def test_a_job_that_ends_while_it_is_followed_ends_the_stream_and_one_that_runs_again_does_not() -> None:
    table = Table()
    table.write(event(1), event(2, kind="failed"), event(3, kind="rerun"))
    async with feeding(table) as feed:
        await feed.join()
        again, reader = JobReader(feed, table.log, JOB, 2), JobReader(feed, table.log, JOB, 0)
        await again.begin()
        assert ids(await again.take()) == ["3"]
        assert not again.is_over
        await reader.begin()
        pieces = frames_of(feed, reader, admitted)
        assert ids([await anext(pieces), await anext(pieces)]) == ["0", "1", "2", "3"]
        table.write(event(4, kind="succeeded"))
        assert ids([await anext(pieces)]) == ["4"]
        assert [piece async for piece in pieces] == [ENDED]
