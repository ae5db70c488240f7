"""A year of talk of one person: the words, the favourite, the place among all, and badges. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from windmill.operate.sessions.reading import WordCount

TOP = 10
MANY_WORDS, MANY_SESSIONS, MANY_DIFFERENT, TOP_SHARE = 1_000, 50, 8, 90.0
PERSONALITIES: Mapping[str, str] = {
    "walao": "The Amazed",
    "cheebai": "The Blunt",
    "lanjiao": "The Fearless",
    "lah": "The Reassuring",
    "lor": "The Easygoing",
    "sia": "The Impressed",
    "meh": "The Doubtful",
    "can": "The Helpful",
    "paiseh": "The Polite",
    "shiok": "The Happy",
    "sian": "The Tired",
}
OTHERWISE = "The All-rounder"


@dataclass(frozen=True)
class YearReview:
    """`percentile` is how many in a hundred of all people said less, and None for who said nothing."""

    year: int
    total_words: int
    total_sessions: int
    top_words: Sequence[WordCount]
    favourite: str | None
    percentile: float | None
    badges: Sequence[str]
    personality: str | None


def review_year(
    year: int, person: str, words: Sequence[WordCount], sessions: int, totals: Mapping[str, int]
) -> YearReview:
    """`words` are those of the person, the most first; `totals` those of everybody."""
    total = sum(one.count for one in words)
    percentile = _percentile(person, totals)
    favourite = words[0].word if words else None
    personality = PERSONALITIES.get(favourite, OTHERWISE) if favourite else None
    badges = _badges(total, sessions, len(words), percentile)
    return YearReview(year, total, sessions, words[:TOP], favourite, percentile, badges, personality)


def _percentile(person: str, totals: Mapping[str, int]) -> float | None:
    """Of the place among all people: 1 - place / people."""
    if person not in totals:
        return None
    place = 1 + sum(other > totals[person] for other in totals.values())
    return round(100 * (1 - place / len(totals)), 1)


def _badges(total: int, sessions: int, different: int, percentile: float | None) -> list[str]:
    earned = {
        "1000 words": total >= MANY_WORDS,
        "50 sessions": sessions >= MANY_SESSIONS,
        "8 different words": different >= MANY_DIFFERENT,
        "top 10 %": percentile is not None and percentile >= TOP_SHARE,
    }
    return [badge for badge, is_earned in earned.items() if is_earned]
