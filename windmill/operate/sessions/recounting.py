"""Counting stored words again, after a change of the list: claims to speakers stay."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import DatabaseSettings
from windmill.kernels.text.word_list import WordList
from windmill.storage.database import Pool
from windmill.storage.queries import queries
from windmill.storage.sessions.counting import recount
from windmill.storage.transactions import transaction


@dataclass(frozen=True)
class Recounted:
    """How many sessions were counted again."""

    words: str
    version: int
    sessions: int


async def recount_sessions(
    pool: Pool,
    settings: DatabaseSettings,
    words: WordList,
    sessions: Sequence[uuid.UUID] = (),
    *,
    strict: bool = False,
    every: bool = False,
) -> Recounted:
    """Those that are named, or all that were counted by another list or version; with `every` all. Each is a
    transaction of its own, so what was interrupted goes on when it is asked for again."""
    async with transaction(pool, settings) as rows:
        found = await rows.fetch(queries()["list_counted_sessions"], not (every or strict), words.name, words.version)
    done = 0
    for session in sessions or [row["session_id"] for row in found]:
        async with transaction(pool, settings) as rows:
            counted = await recount(rows, session, words, strict=strict)
        if sessions and not counted:
            raise WindmillError("NOT_FOUND", f"session {session} has no transcript")
        done += counted
    return Recounted(words.name, words.version, done)
