"""The votes on an image as a table: a row for each emoji, and in it the position of every service. Pure."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Position = Literal["yes", "confirmed", "silent", "could_not_know", "awaited", "failed"]
WORDS: Mapping[Position, str] = {
    "yes": "said yes",
    "confirmed": "confirmed it",
    "silent": "silent: knows the word, did not say it",
    "could_not_know": "could not know",
    "awaited": "awaited",
    "failed": "failed",
}
_LISTS: Mapping[str, Position] = {
    "said_yes": "yes",
    "confirmed_by": "confirmed",
    "silent": "silent",
    "could_not_know": "could_not_know",
    "awaiting": "awaited",
    "failed": "failed",
}


@dataclass(frozen=True)
class VotePosition:
    """Where a service stands; `detail` is its word with the confidence, or the code of its failure."""

    service: str
    position: Position | None
    detail: str = ""

    @property
    def told(self) -> str:
        """In words, for who cannot see the sign."""
        meaning = WORDS[self.position] if self.position else "was not asked"
        return f"{self.service}: {meaning}{f' ({self.detail})' if self.detail else ''}"


@dataclass(frozen=True)
class InspectedVote:
    """An emoji with its name, how likely it is, and a position for each service of the table, in its order."""

    emoji: str
    name: str
    probability: float
    listed: bool
    sentence: str
    positions: tuple[VotePosition, ...]
    lacking: str = ""


@dataclass(frozen=True)
class VoteTable:
    """Services are the columns; listed votes stand before the others."""

    services: tuple[str, ...]
    votes: tuple[InspectedVote, ...]

    @property
    def listed(self) -> tuple[InspectedVote, ...]:
        return tuple(one for one in self.votes if one.listed)

    @property
    def others(self) -> tuple[InspectedVote, ...]:
        return tuple(one for one in self.votes if not one.listed)


def vote_table(document: Mapping[str, Any]) -> VoteTable:
    """From `consensus_data`, whoever has written it."""
    votes = document.get("votes")
    groups = votes if isinstance(votes, dict) else {}
    items = [(item, True) for item in _objects(groups.get("consensus"))]
    items += [(item, False) for item in _objects(groups.get("runners_up"))]
    stands = [(item, listed, _stands(item)) for item, listed in items]
    services = sorted({service for _, _, stand in stands for service in stand})
    return VoteTable(tuple(services), tuple(_vote(item, listed, stand, services) for item, listed, stand in stands))


def _vote(
    item: Mapping[str, Any], listed: bool, stand: Mapping[str, VotePosition], services: Collection[str]
) -> InspectedVote:
    why, probability = item.get("why"), item.get("probability")
    return InspectedVote(
        emoji=str(item.get("emoji") or ""),
        name=_name(item),
        probability=float(probability) if isinstance(probability, int | float) else 0.0,
        listed=listed,
        sentence=str(why.get("sentence") or "") if isinstance(why, dict) else "",
        positions=tuple(stand.get(service, VotePosition(service, None)) for service in services),
        lacking="" if listed else _lacking(item.get("missing")),
    )


def _stands(item: Mapping[str, Any]) -> dict[str, VotePosition]:
    stands: dict[str, VotePosition] = {}
    for key, position in _LISTS.items():
        for one in item[key] if isinstance(item.get(key), list) else []:
            told = one if isinstance(one, dict) else {"service": one}
            if isinstance(told.get("service"), str):
                stands[told["service"]] = VotePosition(told["service"], position, _detail(told))
    return stands


def _detail(told: Mapping[str, Any]) -> str:
    confidence = told.get("confidence")
    sure = f"{confidence:.2f}" if isinstance(confidence, int | float) else ""
    return " ".join(str(part) for part in (told.get("word"), sure, told.get("code")) if part)


def _name(item: Mapping[str, Any]) -> str:
    """The word that most services have used."""
    words = Counter(str(one["word"]) for one in _objects(item.get("said_yes")) if one.get("word"))
    return min(words, key=lambda word: (-words[word], len(word), word), default="")


def _lacking(missing: object) -> str:
    """What a runner-up lacks, and who may still say it."""
    if not isinstance(missing, dict):
        return ""
    needed, may = missing.get("probability"), missing.get("could_still_say")
    said = f"It is listed from {needed:.2f} on." if isinstance(needed, int | float) else ""
    names = [str(one) for one in may] if isinstance(may, list) else []
    return " ".join(filter(None, (said, f"{', '.join(names)} may still say it." if names else "")))


@dataclass(frozen=True)
class VoteChange:
    """What a vote was, and what it would be; None where the emoji is not in one of the tables at all."""

    emoji: str
    name: str
    before: float | None
    after: float | None
    listed_before: bool
    listed_after: bool

    @property
    def word(self) -> str:
        """What becomes of it, in a word."""
        if self.listed_before != self.listed_after:
            return "appears" if self.listed_after else "goes"
        change = (self.after or 0.0) - (self.before or 0.0)
        return "stays" if abs(change) < 0.005 else "rises" if change > 0 else "falls"


def compare_votes(before: VoteTable, after: VoteTable) -> list[VoteChange]:
    """Every emoji of both tables, those that change the most first."""
    were, are = ({one.emoji: one for one in table.votes} for table in (before, after))
    changes = [_change(emoji, were.get(emoji), are.get(emoji)) for emoji in dict.fromkeys([*were, *are])]
    return sorted(changes, key=lambda one: (one.listed_before == one.listed_after, -_size(one), one.emoji))


def _change(emoji: str, before: InspectedVote | None, after: InspectedVote | None) -> VoteChange:
    return VoteChange(
        emoji=emoji,
        name=(before.name if before else "") or (after.name if after else ""),
        before=before.probability if before else None,
        after=after.probability if after else None,
        listed_before=bool(before and before.listed),
        listed_after=bool(after and after.listed),
    )


def _size(change: VoteChange) -> float:
    return abs((change.after or 0.0) - (change.before or 0.0))


def _objects(value: object) -> Sequence[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
