"""What one person said, outside."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from gateway.sessions.shapes import WordCountShape
from gateway.shape import Shape
from windmill.operate.sessions.statistics import Granularity


class OwnStatsShape(Shape):
    user_id: str
    total_sessions: int
    total_words: int
    word_counts: list[WordCountShape]


class TrendQuery(Shape):
    granularity: Granularity = "week"
    limit: Annotated[int, Field(ge=1, le=366)] = 12


class TrendPoint(Shape):
    since: datetime
    total_words: int


class YearShape(Shape):
    """`percentile` is how many in a hundred of all people said less."""

    year: int
    total_words: int
    total_sessions: int
    top_words: list[WordCountShape]
    favourite_word: str | None
    percentile: float | None
    badges: list[str]
    personality: str | None
