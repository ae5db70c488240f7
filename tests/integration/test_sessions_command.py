"""`windmill sessions`: talks as whoever runs the machine sees them."""

import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.fleet import Finished, Fleet
from tests.integration.talk_scene import TalkScene, send, talk_scene, transcript
from windmill.core.settings import Settings

pytestmark = pytest.mark.database

HEARD = transcript([("SPEAKER_00", 0.0, "wah"), ("SPEAKER_00", 0.5, "lao"), ("SPEAKER_01", 5.0, "lunch"),
                    ("SPEAKER_01", 5.5, "hour"), ("SPEAKER_01", 9.0, "lah")])  # fmt: skip
OWN = {"name": "own", "version": 3, "rules": [], "words": [{"word": "lunch", "category": "colloquial"}]}


@pytest.fixture
async def talk(fleet: Fleet, settings: Settings, tmp_path: Path) -> AsyncIterator[TalkScene]:
    async with talk_scene(fleet, settings, tmp_path) as scene:
        yield scene


async def run(talk: TalkScene, *words: str, **variables: str) -> Finished:
    return await talk.fleet.run("windmill", "sessions", *words, **variables)


async def test_sessions_of_all_people_are_listed_by_their_state_and_shown(talk: TalkScene) -> None:
    assert (await run(talk, "list")).out == "no sessions\n"
    ann, bob = await talk.user("ann"), await talk.user("bob")
    heard = await talk.recorded(ann)
    await talk.hears(heard, HEARD)
    recording = (await bob.post("/sessions")).json()["id"]
    listed = (await run(talk, "list", "--json")).json()
    assert [(one["session_id"], one["status"], one["started_by"]) for one in listed] == [
        (recording, "recording", "bob"), (heard, "ready_for_claiming", "ann"),
    ]  # fmt: skip
    only = (await run(talk, "list", "--status", "recording")).out
    assert recording in only
    assert heard not in only
    shown = (await run(talk, "show", heard, "--json")).json()
    assert [(one["label"], one["words"]) for one in shown["speakers"]] == [
        ("SPEAKER_00", {"walao": 1}), ("SPEAKER_01", {"lah": 1}),
    ]  # fmt: skip
    assert (shown["progress"], shown["chunks"], shown["missing"]) == (100, 1, [])
    text = (await run(talk, "show", heard)).out
    assert f"{heard} is ready_for_claiming, 100 %" in text
    assert "walao 1" in text
    unknown = await run(talk, "show", str(uuid.UUID(int=1)))
    assert (unknown.code, "there is no session" in unknown.err) == (2, True)


async def test_a_recording_that_nobody_ends_is_ended_once(talk: TalkScene) -> None:
    ann = await talk.user("ann")
    session = (await ann.post("/sessions")).json()["id"]
    nothing = await run(talk, "end", session)
    assert (nothing.code, "no chunk of the session has come" in nothing.err) == (2, True)
    await send(ann, session, 0)
    ended = [(await run(talk, "end", session, "--json")).json() for _ in range(2)]
    assert ended[0] == ended[1]
    assert ended[0]["status"] == "processing"
    assert await talk.fleet.rows.fetchval("SELECT count(*) FROM jobs") == 1


async def test_words_are_counted_again_by_a_list_of_ones_own_and_as_the_first_lists_did(
    talk: TalkScene, tmp_path: Path
) -> None:
    session = await talk.recorded(await talk.user("ann"))
    await talk.hears(session, HEARD)
    folder = tmp_path / "presets"
    (folder / "words").mkdir(parents=True)
    (folder / "words" / "own.json").write_text(json.dumps(OWN))

    async def counted(*options: str) -> tuple[int, dict[str, int]]:
        done = (await run(talk, "recount", *options, "--json", PRESETS_DIR=str(folder))).json()
        rows = await talk.fleet.rows.fetch("SELECT word, count(*) FROM session_hits GROUP BY word")
        return done["sessions"], {row["word"]: row["count"] for row in rows}

    assert await counted("--words", "own") == (1, {"lunch": 1})
    assert await counted("--words", "own") == (0, {"lunch": 1})
    assert await counted("--words", "own", "--all") == (1, {"lunch": 1})
    assert await counted() == (1, {"walao": 1, "lah": 1})
    assert await counted("--strict-seed") == (1, {"walao": 1, "lanjiao": 1, "lah": 1})
    assert await counted(session) == (1, {"walao": 1, "lah": 1})
    assert "1 sessions counted again by singlish_v1" in (await run(talk, "recount", "--all")).out
    missing = await run(talk, "recount", str(uuid.UUID(int=1)))
    assert (missing.code, "has no transcript" in missing.err) == (2, True)
