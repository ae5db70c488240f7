"""Speakers as the page of a session names and counts them. Pure."""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.pages.badges import Badge, badge
from windmill.operate.sessions.people import Person
from windmill.operate.sessions.reading import Speaker
from windmill.operate.sessions.talk_page import SessionLook

COLORS = 6
SOMEBODY = "somebody here"
_LABEL = re.compile(r"SPEAKER_(\d+)(?: (\S+)-(\S+))?$")


@dataclass(frozen=True)
class VoiceView:
    """A speaker; `color` is from 1 to 6, `state` whose it is, `parts` the voices that count for it."""

    speaker: Speaker
    name: str
    color: int
    state: Badge
    words: int
    may_unclaim: bool
    parts: tuple[str, ...]

    @property
    def key(self) -> str:
        return str(self.speaker.speaker_id)


@dataclass(frozen=True)
class CountRow:
    """How often each of the voices said a word, in their order."""

    word: str
    emoji: str
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.counts)


def voice_name(label: str) -> str:
    """SPEAKER_00 is Speaker 1."""
    found = _LABEL.match(label)
    if found is None:
        return label
    number = f"Speaker {int(found[1]) + 1}"
    return f"{number}, {found[2]} to {found[3]} s" if found[2] else number


def voices_of(look: SessionLook, person: Person) -> tuple[VoiceView, ...]:
    return tuple(_voice(one, place, look, person) for place, one in enumerate(look.speakers))


def _voice(speaker: Speaker, place: int, look: SessionLook, person: Person) -> VoiceView:
    claim = speaker.claim
    mine = claim is not None and person.name in (claim.claimed_by, claim.attributed_to)
    return VoiceView(
        speaker=speaker,
        name=(claim.attributed_to or claim.guest_name if claim else None) or voice_name(speaker.label),
        color=place % COLORS + 1,
        state=badge("done", claim_words(speaker)) if claim else badge("ready_for_claiming", "nobody has claimed it"),
        words=sum(one.count for one in speaker.counts),
        may_unclaim=claim is not None and (mine or look.leads),
        parts=tuple(map(str, speaker.merged)),
    )


def claim_words(speaker: Speaker) -> str:
    """Who says whose it is."""
    claim = speaker.claim
    assert claim
    by = claim.claimed_by or SOMEBODY
    if claim.claim_type == "self":
        return f"claimed by {by}"
    whom = claim.attributed_to if claim.claim_type == "user" else f"{claim.guest_name}, a guest"
    return f"claimed by {by} for {whom}"


def counts_of(voices: Sequence[VoiceView], emojis: dict[str, str]) -> tuple[CountRow, ...]:
    """The word first that was said most."""
    said = [{one.word: one.count for one in voice.speaker.counts} for voice in voices]
    words = {word for counts in said for word in counts}
    rows = [CountRow(word, emojis.get(word, ""), tuple(counts.get(word, 0) for counts in said)) for word in words]
    return tuple(sorted(rows, key=lambda row: (-row.total, row.word)))


def by_speaker(voices: Sequence[VoiceView]) -> dict[uuid.UUID, VoiceView]:
    return {one.speaker.speaker_id: one for one in voices}
