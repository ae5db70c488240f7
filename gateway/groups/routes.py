"""Groups of people who record together, and how much their members said."""

import uuid
from typing import Annotated

from fastapi import Query, Response

from gateway.context import Context, Gateway, Speaking
from gateway.groups.shapes import GroupShape, GroupStatsShape, JoinBody, MemberShape, NewGroupBody, RankShape
from gateway.guard import Operator, Viewer, noun_router
from gateway.sessions.answering import Emojis, counts_shape, emojis_of
from gateway.sessions.shapes import TopWord
from windmill.operate.sessions.groups import (
    TalkGroup,
    create_group,
    join_group,
    leave_group,
    own_groups,
    show_group,
)
from windmill.operate.sessions.people import Person
from windmill.operate.sessions.statistics import Period, Rank, group_stats

router = noun_router("groups")


def _shape(group: TalkGroup) -> GroupShape:
    return GroupShape(id=group.group_id, **{name: value for name, value in vars(group).items() if name != "group_id"})


@router.post("/groups", status_code=201)
async def create(gateway: Context, _: Operator, person: Speaking, body: NewGroupBody, response: Response) -> GroupShape:
    """Make a group; you lead it."""
    group = await create_group(gateway.access, person, body.name)
    response.headers["Location"] = f"/groups/{group.group_id}"
    return _shape(group)


@router.get("/groups")
async def list_own(gateway: Context, _: Viewer, person: Speaking) -> list[GroupShape]:
    """Your groups."""
    return [_shape(group) for group in await own_groups(gateway.access, person)]


@router.post("/groups/join")
async def join(gateway: Context, _: Operator, person: Speaking, body: JoinBody) -> GroupShape:
    """Become a member of the group with this code."""
    return _shape(await join_group(gateway.access, person, body.invite_code))


@router.get("/groups/{group_id}")
async def show(gateway: Context, _: Viewer, person: Speaking, group_id: uuid.UUID) -> GroupShape:
    """A group that you are a member of."""
    group, _members = await show_group(gateway.access, person, group_id)
    return _shape(group)


@router.get("/groups/{group_id}/members")
async def members(gateway: Context, _: Viewer, person: Speaking, group_id: uuid.UUID) -> list[MemberShape]:
    """Its members, the first one first."""
    _group, found = await show_group(gateway.access, person, group_id)
    return [
        MemberShape(
            user_id=one.principal,
            username=one.principal,
            display_name=one.principal,
            role=one.role,
            joined_at=one.joined_at,
        )
        for one in found
    ]


@router.delete("/groups/{group_id}/members/{person}", status_code=204)
async def leave(gateway: Context, _: Operator, speaking: Speaking, group_id: uuid.UUID, person: str) -> None:
    """Leave a group, or send somebody away whom you lead."""
    await leave_group(gateway.access, speaking, group_id, person)


@router.get("/groups/{group_id}/stats")
async def stats(
    gateway: Context, _: Viewer, person: Speaking, group_id: uuid.UUID, period: Annotated[Period, Query()] = "week"
) -> GroupStatsShape:
    """How much its members said in completed sessions of the last day, week or month, or ever."""
    return await stats_shape(gateway, person, group_id, period)


async def stats_shape(gateway: Gateway, person: Person, group: uuid.UUID | None, period: Period) -> GroupStatsShape:
    found, emojis = await group_stats(gateway.access, person, group, period), emojis_of(gateway, None)
    return GroupStatsShape(
        total_sessions=found.total_sessions,
        total_words=found.total_words,
        leaderboard=[_rank(one, emojis) for one in found.leaderboard],
        word_breakdown=counts_shape(found.words, emojis),
    )


def _rank(one: Rank, emojis: Emojis) -> RankShape:
    top = one.counts[0] if one.counts else None
    return RankShape(
        rank=one.rank,
        user_id=one.principal,
        username=one.principal,
        display_name=one.principal,
        total_words=one.total_words,
        word_counts=counts_shape(one.counts, emojis),
        top_word=TopWord(word=top.word, count=top.count) if top else None,
    )
