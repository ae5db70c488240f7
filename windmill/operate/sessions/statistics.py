"""Sums over sessions: by group and period, by person, and by year. Nothing is ever added up in place."""

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from windmill.jobs.access import JobAccess
from windmill.operate.sessions.groups import find_group
from windmill.operate.sessions.people import Person
from windmill.operate.sessions.reading import WordCount
from windmill.operate.sessions.year_review import YearReview, review_year
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

Period = Literal["day", "week", "month", "all_time"]
Granularity = Literal["day", "week", "month"]
DAYS: Mapping[Period, int] = {"day": 1, "week": 7, "month": 30}


@dataclass(frozen=True)
class Rank:
    """A place of the leaderboard; places are not shared."""

    rank: int
    principal: str
    total_words: int
    counts: Sequence[WordCount]


@dataclass(frozen=True)
class GroupStats:
    total_sessions: int
    total_words: int
    leaderboard: Sequence[Rank]
    words: Sequence[WordCount]


@dataclass(frozen=True)
class OwnStats:
    total_sessions: int
    total_words: int
    words: Sequence[WordCount]


def since(period: Period, now: datetime) -> datetime | None:
    """When a period begins; None is always."""
    return now - timedelta(days=DAYS[period]) if period in DAYS else None


def ranked(rows: Sequence[tuple[str, str, int]]) -> list[Rank]:
    """The leaderboard of rows of person, word and count, the most first."""
    people: dict[str, Counter[str]] = {}
    for person, word, count in rows:
        people.setdefault(person, Counter())[word] += count
    order = sorted(people.items(), key=lambda one: (-one[1].total(), one[0]))
    return [Rank(place, who, words.total(), most_first(words)) for place, (who, words) in enumerate(order, 1)]


def most_first(words: Mapping[str, int]) -> list[WordCount]:
    return [WordCount(word, count) for word, count in sorted(words.items(), key=lambda one: (-one[1], one[0]))]


async def group_stats(access: JobAccess, person: Person, group: uuid.UUID | None, period: Period) -> GroupStats:
    """Of completed sessions of a group; None is all sessions of the fleet."""
    begin = since(period, datetime.now(UTC))
    async with transaction(access.pool, access.settings) as rows:
        if group is not None:
            await find_group(rows, group, person)
        found = await rows.fetch(queries()["count_words_by_person"], group, begin)
        sessions = await rows.fetchval(queries()["count_completed_sessions"], group, begin)
    board = ranked([(row["person"], row["word"], row["count"]) for row in found])
    words: Counter[str] = Counter()
    for row in found:
        words[row["word"]] += row["count"]
    return GroupStats(sessions, words.total(), board, most_first(words))


async def own_stats(access: JobAccess, person: Person, period: Period = "all_time") -> OwnStats:
    begin = since(period, datetime.now(UTC))
    async with transaction(access.pool, access.settings) as rows:
        found = await rows.fetch(queries()["words_of_person"], person.name, begin, None)
        sessions = await rows.fetchval(queries()["sessions_of_person"], person.name, begin, None)
    words = [WordCount(row["word"], row["count"]) for row in found]
    return OwnStats(sessions, sum(one.count for one in words), words)


async def own_trend(
    access: JobAccess, person: Person, granularity: Granularity, limit: int
) -> list[tuple[datetime, int]]:
    """How many words in each day, week or month; the newest first, without those in which there were none."""
    async with transaction(access.pool, access.settings) as rows:
        found = await rows.fetch(queries()["trend_of_person"], person.name, granularity, limit)
    return [(row["since"], row["count"]) for row in found]


async def own_year(access: JobAccess, person: Person, year: int) -> YearReview:
    begin, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    async with transaction(access.pool, access.settings) as rows:
        found = await rows.fetch(queries()["words_of_person"], person.name, begin, end)
        sessions = await rows.fetchval(queries()["sessions_of_person"], person.name, begin, end)
        totals = {row["person"]: row["count"] for row in await rows.fetch(queries()["totals_of_people"], begin, end)}
    words = [WordCount(row["word"], row["count"]) for row in found]
    return review_year(year, person.name, words, sessions, totals)
