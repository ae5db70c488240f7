"""Groups and their sums outside."""

import uuid
from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from gateway.sessions.shapes import PersonName, TopWord, WordCountShape
from gateway.shape import Shape


class NewGroupBody(Shape):
    name: PersonName


class JoinBody(Shape):
    invite_code: Annotated[str, StringConstraints(strip_whitespace=True, min_length=6, max_length=10)]


class GroupShape(Shape):
    id: uuid.UUID
    name: str
    invite_code: str
    created_by: str
    created_at: datetime


class MemberShape(Shape):
    user_id: str
    username: str
    display_name: str
    avatar_url: str | None = None
    role: str
    joined_at: datetime


class RankShape(Shape):
    rank: Annotated[int, Field(ge=1)]
    user_id: str
    username: str
    display_name: str
    avatar_url: str | None = None
    total_words: int
    word_counts: list[WordCountShape]
    top_word: TopWord | None


class GroupStatsShape(Shape):
    """Of completed sessions."""

    total_sessions: int
    total_words: int
    leaderboard: list[RankShape]
    word_breakdown: list[WordCountShape]
