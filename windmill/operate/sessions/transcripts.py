"""What was said, as a document or as subtitles, by the names that people gave to voices."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from windmill.jobs.access import JobAccess
from windmill.kernels.text.spoken_words import SpokenWord
from windmill.operate.sessions.people import Person, Session, visible_session
from windmill.operate.sessions.reading import Speaker, read_speakers
from windmill.storage.sessions.counting import read_corrected, read_voices
from windmill.storage.transactions import transaction


@dataclass(frozen=True)
class Transcript:
    """All words with their corrections; `speaker_ids` are whose they are, None for nobody's."""

    session: Session
    words: Sequence[SpokenWord]
    speaker_ids: Sequence[uuid.UUID | None]
    names: Mapping[uuid.UUID, str]

    def named(self) -> list[SpokenWord]:
        """The words with the names of speakers."""
        pairs = zip(self.words, self.speaker_ids, strict=True)
        names = [(word, self.names.get(who) if who else None) for word, who in pairs]
        return [replace(word, speaker=name or word.speaker) for word, name in names]


async def show_transcript(access: JobAccess, session: uuid.UUID, person: Person) -> Transcript:
    async with transaction(access.pool, access.settings) as rows:
        found = await visible_session(rows, session, person)
        words, voices = await read_corrected(rows, session), await read_voices(rows, session)
        speakers = await read_speakers(rows, found)
    whole = {part: one.speaker_id for one in speakers for part in (one.speaker_id, *one.merged)}
    owners = [voices.owner(word.speaker, word.t0) for word in words]
    ids = [whole.get(owner) if owner else None for owner in owners]
    return Transcript(found, words, ids, {one.speaker_id: name_of(one) for one in speakers})


def name_of(speaker: Speaker) -> str:
    """Whom a voice is credited to, or else what it is called."""
    claim = speaker.claim
    return (claim.attributed_to or claim.guest_name or speaker.label) if claim else speaker.label
