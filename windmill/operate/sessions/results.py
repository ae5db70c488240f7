"""Who said how much: everybody to whom voices are credited, guests, and voices that nobody has claimed. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from windmill.operate.sessions.reading import Speaker, WordCount


@dataclass(frozen=True)
class PersonResult:
    """`user` is None for guests, and for a voice that nobody has claimed."""

    speaker: Speaker
    user: str | None
    name: str
    is_guest: bool
    counts: Sequence[WordCount]

    @property
    def total(self) -> int:
        return sum(one.count for one in self.counts)


def results_of(speakers: Sequence[Speaker]) -> list[PersonResult]:
    """One for each person, who may have several voices; each guest and each unclaimed voice by itself. The most words
    first."""
    people: dict[tuple[str, str], list[Speaker]] = {}
    for one in speakers:
        people.setdefault(_key(one), []).append(one)
    found = [_result(group) for group in people.values()]
    return sorted(found, key=lambda one: (-one.total, one.name))


def _key(speaker: Speaker) -> tuple[str, str]:
    claim = speaker.claim
    return ("user", claim.attributed_to) if claim and claim.attributed_to is not None else ("", str(speaker.speaker_id))


def _result(group: Sequence[Speaker]) -> PersonResult:
    claim = group[0].claim
    words: Counter[str] = Counter()
    for speaker in group:
        words.update({one.word: one.count for one in speaker.counts})
    counts = [WordCount(word, count) for word, count in sorted(words.items(), key=lambda one: (-one[1], one[0]))]
    user = claim.attributed_to if claim else None
    name = (user if user is not None else claim.guest_name or "") if claim else group[0].label
    return PersonResult(group[0], user, name, bool(claim and claim.claim_type == "guest"), counts)
