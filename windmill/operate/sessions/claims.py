"""Whose a voice is: claimed once, by whoever comes first; merged, split, and all of it undone. Each change is a row
with how the speakers were before and after, so the last one can be taken back."""

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from windmill.core.errors import WindmillError
from windmill.core.jsonb import parse_object, render_jsonb
from windmill.jobs.access import JobAccess
from windmill.operate.sessions.people import Person, Session, leads, lock_visible, visible_session
from windmill.storage.audit_log import write_audit
from windmill.storage.database import Connection
from windmill.storage.queries import queries
from windmill.storage.sessions.counting import assign_words
from windmill.storage.transactions import transaction

ClaimType = Literal["self", "user", "guest"]
State = dict[str, Any]
"""Of speakers, by their ids: what they are merged into, and the claim to them."""
_CLAIM = ("claim_type", "claimed_by", "claimed_at", "attributed_to", "guest_name")


class AlreadyClaimed(WindmillError):
    """Somebody else was first: `claimant` is whom the voice is credited to, `claimed_by` who said so."""

    def __init__(self, claimant: str, claimed_by: str) -> None:
        super().__init__("CONFLICT", f"the speaker is claimed already, for {claimant}, by {claimed_by}")
        self.claimant, self.claimed_by = claimant, claimed_by


@dataclass(frozen=True)
class NewClaim:
    """A voice is one's own, that of another member, or that of a guest."""

    speaker_id: uuid.UUID
    claim_type: ClaimType
    user: str | None = None
    guest_name: str | None = None

    def must_be_whole(self) -> None:
        """Raises USAGE for what is missing, or is there in vain."""
        if (self.claim_type == "user") != (self.user is not None):
            raise WindmillError("USAGE", "attributed_to_user_id is for claim_type user, which needs it")
        if (self.claim_type == "guest") != (self.guest_name is not None):
            raise WindmillError("USAGE", "guest_name is for claim_type guest, which needs it")


async def claim(access: JobAccess, person: Person, session: uuid.UUID, new: NewClaim) -> None:
    """Raises AlreadyClaimed if somebody was first. Who claims the same again finds it done."""
    new.must_be_whole()

    async def change(rows: Connection, found: Session) -> Sequence[uuid.UUID]:
        await _must_be_open(rows, found, new.speaker_id)
        person_named = person.name if new.claim_type == "self" else new.user
        if new.claim_type == "user":
            await _must_belong(rows, found, str(new.user))
        values = (new.speaker_id, session, new.claim_type, person.name, person_named, new.guest_name)
        if await rows.fetchval(queries()["insert_claim"], *values) is None:
            there = await rows.fetchrow(queries()["read_claim"], new.speaker_id)
            if there is None or (there["claimed_by"], there["attributed_to"], there["guest_name"]) != values[3:]:
                raise _taken(dict(there or {}))
            return ()
        return (new.speaker_id,)

    await _changing(access, person, session, "claim", [new.speaker_id], change)


def _taken(there: Mapping[str, Any]) -> AlreadyClaimed:
    return AlreadyClaimed(there["attributed_to"] or there["guest_name"] or "somebody here", there["claimed_by"])


async def unclaim(access: JobAccess, person: Person, session: uuid.UUID, speaker: uuid.UUID) -> None:
    """By whoever claimed it or is named, started the session, or leads the group. Unclaimed already is no error."""

    async def change(rows: Connection, found: Session) -> Sequence[uuid.UUID]:
        await _must_be_open(rows, found, speaker)
        there = await rows.fetchrow(queries()["read_claim"], speaker)
        if there is None:
            return ()
        if person.name not in (there["claimed_by"], there["attributed_to"]) and not await leads(rows, found, person):
            raise WindmillError("PERMISSION_DENIED", "only who claimed it, or who leads the session, may unclaim it")
        await rows.execute(queries()["delete_claim"], speaker)
        return (speaker,)

    await _changing(access, person, session, "unclaim", [speaker], change)


async def merge(access: JobAccess, person: Person, session: uuid.UUID, into: uuid.UUID, other: uuid.UUID) -> None:
    """Two voices are one person: what the other said counts for `into`. A claim to either holds for both; raises
    CONFLICT if they are claimed for two people."""
    if into == other:
        raise WindmillError("USAGE", "a speaker cannot be merged into itself")
    touched = [into, other]

    async def change(rows: Connection, found: Session) -> Sequence[uuid.UUID]:
        for one in (into, other):
            await _must_be_open(rows, found, one)
        state = await _state(rows, session, touched)
        mine, theirs = state[str(into)]["claim"], state[str(other)]["claim"]
        if mine and theirs and _whose(mine) != _whose(theirs):
            raise WindmillError("CONFLICT", "the speakers are claimed for two people", "unclaim one of them first")
        await rows.execute(queries()["delete_claim"], other)
        if theirs and not mine:
            await _restore_claim(rows, session, into, theirs)
        for one in touched[1:]:
            await rows.execute(queries()["merge_speaker"], one, into)
        return touched

    async with transaction(access.pool, access.settings) as rows:
        touched += await _merged_into(rows, session, other)
    await _changing(access, person, session, "merge", touched, change)


async def split(
    access: JobAccess, person: Person, session: uuid.UUID, speaker: uuid.UUID, t0: float, t1: float
) -> uuid.UUID:
    """What a voice says from t0 to before t1 seconds is somebody else's: the id of the new speaker."""
    if not 0 <= t0 < t1:
        raise WindmillError("USAGE", "a part begins before it ends")
    made: list[uuid.UUID] = []

    async with transaction(access.pool, access.settings) as rows:
        await lock_visible(rows, session, person)
        found = await visible_session(rows, session, person)
        row = await _must_be_open(rows, found, speaker)
        if row["split_from"] is not None:
            raise WindmillError("CONFLICT", "this is a part of a voice already", "split the voice that it is a part of")
        label = f"{row['label']} {t0:g}-{t1:g}"
        made.append(await rows.fetchval(queries()["insert_speaker"], session, label, 1, t1 - t0, speaker, t0, t1))
        await assign_words(rows, session)
        # Taken back, it counts for the voice again that it was split from.
        before: State = {str(made[0]): {"merged_into": str(speaker), "claim": None}}
        after: State = {str(made[0]): {"merged_into": None, "claim": None}}
        await _note(rows, person, session, "split", before, after)
    return made[0]


async def unmerge(access: JobAccess, person: Person, session: uuid.UUID, speaker: uuid.UUID) -> None:
    """Part a voice from the one that it was merged into."""

    async def change(rows: Connection, found: Session) -> Sequence[uuid.UUID]:  # noqa: ARG001 - of every change
        if (await _row(rows, session, speaker))["merged_into"] is None:
            return ()
        await rows.execute(queries()["merge_speaker"], speaker, None)
        return (speaker,)

    await _changing(access, person, session, "unmerge", [speaker], change)


async def undo(access: JobAccess, person: Person, session: uuid.UUID) -> str:
    """Take back the last change that was not taken back; what it was. Raises CONFLICT if there is none."""
    async with transaction(access.pool, access.settings) as rows:
        await lock_visible(rows, session, person)
        found = await visible_session(rows, session, person)
        last = await rows.fetchrow(queries()["last_change"], session)
        if last is None:
            raise WindmillError("CONFLICT", "nothing of the speakers was changed that could be undone")
        if last["principal"] != person.name and not await leads(rows, found, person):
            raise WindmillError("PERMISSION_DENIED", f"only {last['principal']}, or who leads the session, may undo it")
        await _restore(rows, session, parse_object(last["before"]))
        await rows.execute(queries()["note_undone"], last["change_id"])
        kind = str(last["kind"])
        await write_audit(rows, person.actor, "sessions.undo", str(session), {"change": kind}, None)
        return kind


Change = Callable[[Connection, Session], Awaitable[Sequence[uuid.UUID]]]


async def _changing(
    access: JobAccess, person: Person, session: uuid.UUID, kind: str, touched: Sequence[uuid.UUID], change: Change
) -> None:
    """Lock, look, change, look again, and note both; a change of nothing is not noted."""
    async with transaction(access.pool, access.settings) as rows:
        await lock_visible(rows, session, person)
        found = await visible_session(rows, session, person)
        before = await _state(rows, session, touched)
        if await change(rows, found):
            await _note(rows, person, session, kind, before, await _state(rows, session, touched))


async def _note(rows: Connection, person: Person, session: uuid.UUID, kind: str, before: State, after: State) -> None:
    written = (render_jsonb(before), render_jsonb(after))
    await rows.execute(queries()["insert_change"], session, person.name, kind, *written)
    await write_audit(rows, person.actor, f"sessions.{kind}", str(session), before, after)


async def _state(rows: Connection, session: uuid.UUID, speakers: Sequence[uuid.UUID]) -> State:
    found = await rows.fetch(queries()["read_speakers"], session)
    return {str(row["speaker_id"]): _state_of(dict(row)) for row in found if row["speaker_id"] in speakers}


def _state_of(row: Mapping[str, Any]) -> dict[str, Any]:
    merged = row["merged_into"]
    claim = {name: row[name] for name in _CLAIM} if row["claim_type"] else None
    if claim:
        claim["claimed_at"] = claim["claimed_at"].isoformat()
    return {"merged_into": str(merged) if merged else None, "claim": claim}


async def _restore(rows: Connection, session: uuid.UUID, state: State) -> None:
    for text, was in state.items():
        speaker = uuid.UUID(text)
        into = uuid.UUID(was["merged_into"]) if was["merged_into"] else None
        await rows.execute(queries()["merge_speaker"], speaker, into)
        await rows.execute(queries()["delete_claim"], speaker)
        if was["claim"]:
            await _restore_claim(rows, session, speaker, was["claim"])


async def _restore_claim(rows: Connection, session: uuid.UUID, speaker: uuid.UUID, was: Mapping[str, Any]) -> None:
    names = ("claim_type", "claimed_by", "attributed_to", "guest_name", "claimed_at")
    await rows.execute(queries()["restore_claim"], speaker, session, *(was[name] for name in names))


def _whose(claim: Mapping[str, Any]) -> tuple[str, Any]:
    return (claim["claim_type"] == "guest" and "guest") or "user", claim["attributed_to"] or claim["guest_name"]


async def _must_be_open(rows: Connection, found: Session, speaker: uuid.UUID) -> Mapping[str, Any]:
    """A speaker of this session, when it is known who spoke; raises NOT_FOUND or CONFLICT."""
    row = await _row(rows, found.session_id, speaker)
    if found.status not in ("ready_for_claiming", "completed"):
        raise WindmillError("CONFLICT", f"the session is {found.status}", "wait until it is ready_for_claiming")
    if row["merged_into"] is not None:
        raise WindmillError("CONFLICT", f"the speaker is merged into {row['merged_into']}", "name that one")
    return row


async def _row(rows: Connection, session: uuid.UUID, speaker: uuid.UUID) -> Mapping[str, Any]:
    for row in await rows.fetch(queries()["read_speakers"], session):
        if row["speaker_id"] == speaker:
            return dict(row)
    raise WindmillError("NOT_FOUND", f"the session has no speaker {speaker}")


async def _merged_into(rows: Connection, session: uuid.UUID, speaker: uuid.UUID) -> list[uuid.UUID]:
    found = await rows.fetch(queries()["read_speakers"], session)
    return [row["speaker_id"] for row in found if row["merged_into"] == speaker]


async def _must_belong(rows: Connection, found: Session, user: str) -> None:
    """Only members of the group of a session are tagged; in a personal one, only whoever started it."""
    if found.group_id is None:
        belongs = user == found.started_by
    else:
        belongs = await rows.fetchval(queries()["read_role"], found.group_id, user) is not None
    if not belongs:
        raise WindmillError("USAGE", f"{user!r:.100} is no member of the group of the session")
