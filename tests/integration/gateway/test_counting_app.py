"""A literal client of the app that counts words: what it sends, and what it looks at in the answers."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

import httpx
import pytest

from tests.integration.gateway.heard_talk import HEARD
from tests.integration.talk_scene import TalkScene, wav
from windmill.pipelines.audio.forms import AUDIO_FORMS

pytestmark = pytest.mark.database

Fields: TypeAlias = "Mapping[str, type | tuple[type, ...]]"
SESSION: Fields = {
    "id": str, "group_id": (str, type(None)), "started_by": str, "status": str, "started_at": str,
    "ended_at": (str, type(None)), "progress": int, "audio_url": (str, type(None)),
    "duration_seconds": (float, int, type(None)), "error_message": (str, type(None)),
}  # fmt: skip
LISTED: Fields = {
    "id": str, "group_id": (str, type(None)), "started_by": str, "started_by_name": str, "status": str,
    "started_at": str, "ended_at": (str, type(None)), "duration_seconds": (float, int, type(None)),
    "total_speakers": int, "my_total_words": int, "group_total_words": int,
}  # fmt: skip
SPEAKER: Fields = {
    "id": str, "speaker_label": str, "segment_count": int, "total_duration_seconds": (float, int),
    "sample_audio_url": str, "sample_start_time": (float, int), "claimed_by": (str, type(None)),
    "claimed_at": (str, type(None)), "claim_type": (str, type(None)), "attributed_to_user_id": (str, type(None)),
    "guest_name": (str, type(None)), "word_counts": list,
}  # fmt: skip
RESULTS: Fields = {
    "session_id": str, "status": str, "duration_seconds": (float, int, type(None)), "total_words": int,
    "total_singlish_words": int, "all_claimed": bool, "speakers": list,
}  # fmt: skip
PERSON: Fields = {
    "speaker_id": str, "user_id": (str, type(None)), "username": (str, type(None)), "name": str, "display_name": str,
    "avatar_url": (str, type(None)), "is_guest": bool, "word_counts": list, "total_words": int,
    "top_word": (dict, type(None)),
}  # fmt: skip
STATS: Fields = {
    "total_sessions": int, "total_words": int, "leaderboard": list, "word_breakdown": list,
}  # fmt: skip
STAGES = {
    "audio_join": (0, 10), "audio_vad": (10, 40), "audio_diarise": (10, 40), "audio_transcribe": (40, 85),
    "audio_attribute": (40, 85), "audio_correct": (40, 95), "audio_count": (85, 95), "audio_samples": (95, 100),
}  # fmt: skip
"""Between which per cents the app shows each stage."""


def seen(answer: httpx.Response, shape: Fields, status: int = 200) -> Any:  # noqa: ANN401
    """What the answer has, which must be of this shape; more may be there."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    for one in body if isinstance(body, list) else [body]:
        must_have(one, shape)
    return body


def must_have(one: Mapping[str, Any], shape: Fields) -> None:
    wrong = {
        name: one.get(name, "not there") for name, kind in shape.items() if not isinstance(one.get(name, ...), kind)
    }
    assert not wrong


async def records(client: httpx.AsyncClient, group: str) -> str:
    """Begin, send three chunks one after the other, the last with its own length, and end."""
    session = str(seen(await client.post("/sessions", json={"group_id": group}), SESSION, 201)["id"])
    for number, form in enumerate(({"duration_seconds": "30"}, {}, {"duration_seconds": "4.5"})):
        sent = await client.post(f"/sessions/{session}/chunks", files={"file": ("a.wav", wav(number))}, data=form)
        assert sent.status_code == 201, sent.text
        chunk = sent.json()
        assert (chunk["chunk_number"], chunk["uploaded"]) == (number, True)
        assert chunk["storage_path"].startswith(f"sessions/{session}/chunks/chunk_{number:04}")
    ended = seen(await client.post(f"/sessions/{session}/end", json={"final_duration_seconds": 64.5}), SESSION)
    assert (ended["status"], ended["duration_seconds"]) == ("processing", 64.5)
    return session


async def polls(talk: TalkScene, client: httpx.AsyncClient, session: str) -> None:
    """The per cent never falls, and belongs to the stage, until voices can be claimed."""
    before = 0
    for name in AUDIO_FORMS:
        state = seen(await client.get(f"/sessions/{session}/status"), SESSION)
        least, most = STAGES[name]
        assert state["status"] == "processing"
        assert max(before, least) <= (before := state["progress"]) <= most, name
        await talk.works(name, session, HEARD)
    state = seen(await client.get(f"/sessions/{session}"), SESSION)
    assert (state["status"], state["progress"]) == ("ready_for_claiming", 100)


async def claims(ann: httpx.AsyncClient, session: str) -> None:
    """One voice is one's own, one is a member's, one a guest's; before, what is missing is told."""
    path = f"/sessions/{session}"
    voices = (await ann.get(f"{path}/speakers")).json()["speakers"]
    for voice in voices:
        must_have(voice, SPEAKER)
        assert (await ann.get(voice["sample_audio_url"])).headers["content-type"] == "audio/wav"
        assert all(set(count) == {"word", "count", "emoji"} for count in voice["word_counts"])
    assert [voice["sample_start_time"] for voice in voices] == [0.0, 5.0, 9.0]
    one, two, three = (voice["id"] for voice in voices)
    for body in ({"speaker_id": two, "claim_type": "user"}, {"speaker_id": two, "claim_type": "guest"}):
        refused = await ann.post(f"{path}/claim", json=body)
        assert (refused.status_code, isinstance(refused.json()["detail"], str)) == (400, True)
    stranger = {"speaker_id": two, "claim_type": "user", "attributed_to_user_id": "carl"}
    assert (await ann.post(f"{path}/claim", json=stranger)).status_code == 400
    for body in (
        {"speaker_id": one, "claim_type": "self"},
        {"speaker_id": two, "claim_type": "user", "attributed_to_user_id": "bob"},
        {"speaker_id": three, "claim_type": "guest", "guest_name": "Uncle Lim"},
    ):
        done = await ann.post(f"{path}/claim", json=body)
        assert done.status_code == 200, done.text
        assert (done.json()["success"], isinstance(done.json()["message"], str)) == (True, True)


async def test_the_app_records_polls_claims_and_shows_what_was_said(talk: TalkScene) -> None:
    ann, bob = await talk.user("ann"), await talk.user("bob")
    group = (await ann.post("/groups", json={"name": "lunch"})).json()
    assert len(group["invite_code"]) == 8
    assert (await bob.post("/groups/join", json={"invite_code": group["invite_code"]})).status_code == 200
    session = await records(ann, group["id"])
    await polls(talk, ann, session)
    await claims(ann, session)
    results = seen(await bob.get(f"/sessions/{session}/results"), RESULTS)
    assert (results["status"], results["all_claimed"], results["total_singlish_words"]) == ("completed", True, 6)
    for person in results["speakers"]:
        must_have(person, PERSON)
    top = {person["name"]: person["top_word"] for person in results["speakers"]}
    assert top["ann"] == {"word": "lah", "count": 1}
    listed = seen(await bob.get(f"/sessions?group_id={group['id']}&status=completed&limit=20&offset=0"), LISTED)
    assert [(one["id"], one["total_speakers"]) for one in listed] == [(session, 3)]
    for period in ("day", "week", "month", "all_time"):
        stats = seen(await bob.get(f"/groups/{group['id']}/stats?period={period}"), STATS)
        assert [(one["rank"], one["user_id"], one["total_words"]) for one in stats["leaderboard"]] == [
            (1, "ann", 2), (2, "bob", 2),
        ]  # fmt: skip
    mine = (await bob.get("/users/me/stats")).json()
    assert (mine["total_sessions"], mine["total_words"]) == (1, 2)
    assert (await bob.get("/users/me/trends?granularity=week&limit=4")).json()[0]["total_words"] == 2
    wrapped = (await bob.get(f"/users/me/wrapped?year={datetime.now(UTC).year}")).json()
    assert {word["word"] for word in wrapped["top_words"]} == {"lah", "paiseh"}
    chief = await talk.user("chief", "admin")
    assert seen(await chief.get("/users/global/leaderboard"), STATS)["total_words"] == 4


async def test_whoever_is_no_member_and_what_is_not_there_is_told_in_the_word_detail(talk: TalkScene) -> None:
    ann, eve = await talk.user("ann"), await talk.user("eve")
    session = (await ann.post("/sessions", json={})).json()["id"]
    nothing = "00000000-0000-0000-0000-000000000000"
    for where in (f"/sessions/{session}", f"/sessions/{session}/speakers", f"/sessions/{session}/results"):
        refused = await eve.get(where)
        assert (refused.status_code, isinstance(refused.json()["detail"], str)) == (403, True)
        unknown = await ann.get(where.replace(session, nothing))
        assert (unknown.status_code, isinstance(unknown.json()["detail"], str)) == (404, True)
    assert (await ann.post(f"/sessions/{session}/claim", json={"speaker_id": nothing})).status_code == 422
    assert (await ann.get("/sessions?limit=101")).status_code == 422
