"""What you said yourself, over all sessions; and who said most of all."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query

from gateway.context import Context, Speaking
from gateway.groups.routes import stats_shape
from gateway.groups.shapes import GroupStatsShape
from gateway.guard import Admin, Viewer, noun_router
from gateway.sessions.answering import counts_shape, emojis_of
from gateway.users.shapes import OwnStatsShape, TrendPoint, TrendQuery, YearShape
from windmill.operate.sessions.statistics import Period, own_stats, own_trend, own_year

router = noun_router("users")


@router.get("/users/me/stats")
async def stats(
    gateway: Context, _: Viewer, person: Speaking, period: Annotated[Period, Query()] = "all_time"
) -> OwnStatsShape:
    """Your words: what is credited to you, whoever claimed it."""
    found = await own_stats(gateway.access, person, period)
    return OwnStatsShape(
        user_id=person.name,
        total_sessions=found.total_sessions,
        total_words=found.total_words,
        word_counts=counts_shape(found.words, emojis_of(gateway, None)),
    )


@router.get("/users/me/trends")
async def trends(
    gateway: Context, _: Viewer, person: Speaking, query: Annotated[TrendQuery, Query()]
) -> list[TrendPoint]:
    """Your words by day, week or month, the newest first."""
    found = await own_trend(gateway.access, person, query.granularity, query.limit)
    return [TrendPoint(since=since, total_words=count) for since, count in found]


@router.get("/users/me/wrapped")
async def wrapped(
    gateway: Context,
    _: Viewer,
    person: Speaking,
    year: Annotated[int | None, Query(ge=2000, le=9000)] = None,
) -> YearShape:
    """Your year: top words, favourite, place among all, badges."""
    found = await own_year(gateway.access, person, year or datetime.now(UTC).year)
    return YearShape(
        year=found.year,
        total_words=found.total_words,
        total_sessions=found.total_sessions,
        top_words=counts_shape(found.top_words, emojis_of(gateway, None)),
        favourite_word=found.favourite,
        percentile=found.percentile,
        badges=list(found.badges),
        personality=found.personality,
    )


@router.get("/users/global/leaderboard")
async def leaderboard(
    gateway: Context, _: Admin, person: Speaking, period: Annotated[Period, Query()] = "week"
) -> GroupStatsShape:
    """Who said most in all completed sessions of the fleet."""
    return await stats_shape(gateway, person, None, period)
