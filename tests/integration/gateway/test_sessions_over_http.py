"""Talk from the first chunk to the year's review, over HTTP."""

import asyncio
import base64
import hashlib
import itertools
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.integration.fleet import Fleet
from tests.integration.gateway_scene import problem
from tests.integration.talk_scene import TalkScene, send, talk_scene, transcript, wav
from windmill.core.settings import Settings
from windmill.kernels.text.word_list import TargetWord, WordList
from windmill.operate.artifacts import sweep_artifacts, verify_artifacts
from windmill.operate.sessions.recounting import recount_sessions
from windmill.operate.sessions.upkeep import SessionUpkeep

pytestmark = pytest.mark.database

HEARD = transcript(
    [
        ("SPEAKER_00", 0.0, "wah"),
        ("SPEAKER_00", 0.5, "lao"),
        ("SPEAKER_00", 1.0, "lah"),
        ("SPEAKER_01", 5.0, "pie"),
        ("SPEAKER_01", 5.5, "say"),
        ("SPEAKER_01", 6.0, "lah"),
        ("SPEAKER_02", 9.0, "lah"),
        ("SPEAKER_02", 9.5, "sia"),
    ]
)


@pytest.fixture
async def talk(fleet: Fleet, settings: Settings, tmp_path: Path) -> AsyncIterator[TalkScene]:
    async with talk_scene(fleet, settings, tmp_path) as scene:
        yield scene


async def test_a_talk_goes_from_chunks_to_results_in_the_shapes_of_the_counting_app(talk: TalkScene) -> None:
    ann, bob = await talk.user("ann"), await talk.user("bob")
    group = (await ann.post("/groups", json={"name": "lunch"})).json()
    assert len(group["invite_code"]) == 8
    assert (await bob.post("/groups/join", json={"invite_code": group["invite_code"].lower()})).status_code == 200
    roles = {one["user_id"]: one["role"] for one in (await bob.get(f"/groups/{group['id']}/members")).json()}
    assert roles == {"ann": "admin", "bob": "member"}

    session = await _must_be_recorded(talk, ann, group["id"])
    path = f"/sessions/{session}"
    await talk.hears(session, HEARD, to_its_end=False)
    state = (await bob.get(f"{path}/status")).json()
    assert (state["status"], state["stage"], state["progress"]) == ("processing", "generating_samples", 95)
    problem(await ann.post(f"{path}/claim", json={"speaker_id": session, "claim_type": "self"}), 404, "NOT_FOUND")
    await talk.hand.succeed(await talk.hand.claimed("audio_samples"))
    assert (await ann.get(path)).json()["status"] == "ready_for_claiming"

    await _must_be_claimed(ann, bob, session)
    await _must_be_written_down(bob, session)
    await _must_be_summed_up(talk, bob, group["id"], session)


async def _must_be_recorded(talk: TalkScene, ann: httpx.AsyncClient, group: str) -> str:
    begun = await ann.post("/sessions", json={"group_id": group, "told": ["bob"]})
    assert (begun.status_code, begun.json()["status"]) == (201, "recording")
    session = begun.json()["id"]
    path = f"/sessions/{session}"
    first = await ann.post(f"{path}/chunks", files={"file": ("a.wav", wav(1))}, data={"duration_seconds": "5"})
    assert (first.status_code, first.json()["chunk_number"], first.json()["uploaded"]) == (201, 0, True)
    assert first.json()["sha256"] == hashlib.sha256(wav(1)).hexdigest()
    assert (await ann.post(f"{path}/chunks", files={"file": ("b.wav", wav(2))})).json()["chunk_number"] == 1
    for _ in range(2):
        ended = await ann.post(f"{path}/end", json={"final_duration_seconds": 12.5})
        assert (ended.status_code, ended.json()["status"], ended.json()["duration_seconds"]) == (
            200,
            "processing",
            12.5,
        )
    assert await talk.fleet.rows.fetchval("SELECT count(*) FROM jobs") == 1
    return str(session)


async def _must_be_claimed(ann: httpx.AsyncClient, bob: httpx.AsyncClient, session: str) -> None:
    path = f"/sessions/{session}"
    speakers = (await bob.get(f"{path}/speakers")).json()["speakers"]
    assert [one["speaker_label"] for one in speakers] == ["SPEAKER_00", "SPEAKER_01", "SPEAKER_02"]
    assert speakers[0]["word_counts"][1] == {"word": "walao", "count": 1, "emoji": "😱"}
    one, two, three = [speaker["id"] for speaker in speakers]
    await ann.post(f"{path}/claim", json={"speaker_id": one, "claim_type": "self"})
    claim = {"speaker_id": one, "claim_type": "self"}
    refused = problem(await bob.post(f"{path}/claim", json=claim), 409, "CONFLICT")
    assert (refused["claimant"], refused["claimed_by"]) == ("ann", "ann")
    tag = {"speaker_id": two, "claim_type": "user", "attributed_to_user_id": "carl"}
    problem(await ann.post(f"{path}/claim", json=tag), 400, "USAGE")
    problem(await ann.post(f"{path}/claim", json={"speaker_id": two, "claim_type": "guest"}), 400, "USAGE")
    assert (await ann.post(f"{path}/claim", json={**tag, "attributed_to_user_id": "bob"})).json()["success"] is True
    guest = {"speaker_id": three, "claim_type": "guest", "guest_name": "Uncle Lim"}
    assert (await bob.post(f"{path}/claim", json=guest)).status_code == 200
    results = (await ann.get(f"{path}/results")).json()
    assert (results["status"], results["all_claimed"], results["total_words"]) == ("completed", True, 6)
    people = {
        person["name"]: (person["user_id"], person["is_guest"], person["total_words"]) for person in results["speakers"]
    }
    assert people == {"ann": ("ann", False, 2), "bob": ("bob", False, 2), "Uncle Lim": (None, True, 2)}


async def _must_be_written_down(bob: httpx.AsyncClient, session: str) -> None:
    path = f"/sessions/{session}"
    texts = {kind: (await bob.get(f"{path}/transcript?format={kind}")).text for kind in ("srt", "vtt", "rttm")}
    assert "00:00:00,000 --> 00:00:01,400\nann: walao lah" in texts["srt"]
    assert "<v Uncle Lim>lah sia</v>" in texts["vtt"]
    assert texts["rttm"].splitlines()[0] == f"SPEAKER {session} 1 0.000 1.400 <NA> <NA> ann <NA> <NA>"
    word = (await bob.get(f"{path}/transcript")).json()["words"][0]
    assert (word["word"], word["raw"], word["rule"]) == ("walao", "wah lao", "wah_lao")


async def _must_be_summed_up(talk: TalkScene, bob: httpx.AsyncClient, group: str, session: str) -> None:
    path = f"/sessions/{session}"
    stats = (await bob.get(f"/groups/{group}/stats?period=day")).json()
    assert (stats["total_sessions"], stats["total_words"]) == (1, 4)
    assert [(rank["rank"], rank["user_id"]) for rank in stats["leaderboard"]] == [(1, "ann"), (2, "bob")]
    mine = (await bob.get("/users/me/stats")).json()
    assert (mine["total_sessions"], {one["word"]: one["count"] for one in mine["word_counts"]}) == (
        *(1, {"lah": 1, "paiseh": 1}),
    )
    assert (await bob.get("/users/me/trends?granularity=month")).json()[0]["total_words"] == 2
    year = (await bob.get(f"/users/me/wrapped?year={datetime.now(UTC).year}")).json()
    assert (year["total_words"], year["favourite_word"], year["badges"]) == (2, "lah", [])
    listed = (await bob.get("/sessions?status=completed")).json()
    assert [(one["id"], one["my_total_words"], one["group_total_words"]) for one in listed] == [(session, 2, 6)]
    stranger = await talk.user("carl")
    for where in (path, f"{path}/speakers", f"{path}/results", f"/groups/{group}"):
        problem(await stranger.get(where), 403, "PERMISSION_DENIED")
    assert (await stranger.get("/sessions")).json() == []
    events = (await bob.get(f"{path}/events")).json()
    assert events["events"][-1]["kind"] == "succeeded"


async def test_chunks_come_in_any_order_and_twice_and_none_is_lost(talk: TalkScene) -> None:
    ann = await talk.user()
    orders = list(itertools.permutations(range(6)))
    random.Random(7).shuffle(orders)
    for order in orders[:4]:
        session = (await ann.post("/sessions")).json()["id"]
        for number in (*order[:3], order[0], *order[3:5], order[1]):
            await send(ann, session, number)
        again = await send(ann, session, order[0])
        assert (again.status_code, again.json()["duplicate"]) == (200, True)
        refused = problem(await send(ann, session, order[0], wav(99)), 409, "CONFLICT")
        assert hashlib.sha256(wav(order[0])).hexdigest() in refused["message"]
        ended = (await ann.post(f"/sessions/{session}/end", json={"expected_chunks": 6})).json()
        assert (ended["missing"], ended["chunks"], ended["next_chunk_number"]) == ([order[5]], 5, order[5])
        late = await send(ann, session, order[5])
        assert (late.status_code, late.json()["late"]) == (201, True)
        assert (await ann.get(f"/sessions/{session}")).json()["missing"] == []
        problem(await send(ann, session, 6), 409, "CONFLICT")
    assert await talk.fleet.rows.fetchval("SELECT count(*) FROM jobs") == 4


async def test_twenty_clients_at_once_get_a_number_each_and_every_byte_is_there(talk: TalkScene) -> None:
    ann = await talk.user()
    session = (await ann.post("/sessions")).json()["id"]

    async def one(number: int) -> int:
        data = {"duration_seconds": "0"}
        answer = await ann.post(f"/sessions/{session}/chunks", files={"file": ("a.wav", wav(number))}, data=data)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["chunk_number"])

    assert sorted(await asyncio.gather(*map(one, range(20)))) == list(range(20))
    here = Settings.from_env({**talk.fleet.environ, "ARTIFACTS_URL": str(talk.gateway.settings.artifacts_url)})
    assert await verify_artifacts(here, content=True) == []
    swept = await sweep_artifacts(here, timedelta(0), delete=True)
    assert (swept.stored, swept.deleted, swept.missing) == (20, 0, 0)


async def test_a_chunk_is_what_its_digest_says_and_begins_as_recordings_do(talk: TalkScene) -> None:
    ann = await talk.user()
    session = (await ann.post("/sessions")).json()["id"]
    path = f"/sessions/{session}/chunks"
    problem(await send(ann, session, 0, wav(0), sha256="0" * 64), 422, "CHECKSUM_MISMATCH")
    digest = base64.b64encode(hashlib.sha256(wav(0)).digest()).decode()
    files = {"file": ("a.wav", wav(0))}
    assert (
        await ann.put(f"{path}/0", files=files, headers={"Content-Digest": f"sha-256=:{digest}:"})
    ).status_code == 201
    bad = {"Content-Digest": f"sha-256=:{base64.b64encode(bytes(32)).decode()}:"}
    problem(await ann.put(f"{path}/1", files=files, headers=bad), 422, "CHECKSUM_MISMATCH")
    assert (await send(ann, session, 1, b"goes on where the first one stopped")).status_code == 201
    problem(await send(ann, session, 2, b""), 400, "USAGE")
    other = (await ann.post("/sessions")).json()["id"]
    problem(await send(ann, other, 0, b"goes on"), 415, "MEDIA_TYPE_UNSUPPORTED")
    problem(await ann.post(f"/sessions/{other}/end"), 409, "CONFLICT")
    bob = await talk.user("bob")
    problem(await send(bob, session, 2), 403, "PERMISSION_DENIED")


async def test_of_two_who_claim_one_voice_at_once_one_wins_each_time_and_the_other_is_told_who(talk: TalkScene) -> None:
    ann, bob = await talk.user("ann"), await talk.user("bob")
    group = (await ann.post("/groups", json={"name": "lunch"})).json()
    await bob.post("/groups/join", json={"invite_code": group["invite_code"]})
    session = await talk.recorded(ann, group_id=group["id"])
    await talk.hears(session, HEARD)
    path = f"/sessions/{session}"
    speaker = (await ann.get(f"{path}/speakers")).json()["speakers"][0]["id"]
    wins = {"ann": 0, "bob": 0}
    for _ in range(30):
        body = {"speaker_id": speaker, "claim_type": "self"}
        answers = await asyncio.gather(*(who.post(f"{path}/claim", json=body) for who in (ann, bob)))
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        winner = "ann" if answers[0].status_code == 200 else "bob"
        (lost,) = [answer.json() for answer in answers if answer.status_code == 409]
        assert (lost["claimant"], lost["claimed_by"]) == (winner, winner)
        wins[winner] += 1
        assert (await ann.post(f"{path}/unclaim", json={"speaker_id": speaker})).status_code == 200
    assert sum(wins.values()) == 30


async def test_voices_are_merged_split_and_undone_and_sums_follow(talk: TalkScene) -> None:
    ann = await talk.user("ann")
    session = await talk.recorded(ann)
    await talk.hears(session, HEARD)
    path = f"/sessions/{session}"

    async def counts() -> dict[str, dict[str, int]]:
        found = (await ann.get(f"{path}/speakers")).json()["speakers"]
        return {one["speaker_label"]: {w["word"]: w["count"] for w in one["word_counts"]} for one in found}

    whole = await counts()
    one, two, three = [speaker["id"] for speaker in (await ann.get(f"{path}/speakers")).json()["speakers"]]
    for speaker in (one, three):  # several voices of one person
        await ann.post(f"{path}/claim", json={"speaker_id": speaker, "claim_type": "self"})
    assert (await ann.get(f"{path}/results")).json()["speakers"][0]["total_words"] == 4
    assert (await ann.post(f"{path}/speakers/merge", json={"speaker_id": three, "into": two})).status_code == 200
    assert await counts() == {"SPEAKER_00": whole["SPEAKER_00"], "SPEAKER_01": {"lah": 2, "paiseh": 1, "sia": 1}}
    claimed = (await ann.get(f"{path}/speakers")).json()["speakers"][1]
    assert (claimed["claimed_by"], claimed["merged"]) == ("ann", [three])
    assert (await ann.get(path)).json()["status"] == "completed"
    refused = await ann.post(f"{path}/claim", json={"speaker_id": three, "claim_type": "self"})
    assert refused.status_code == 409
    assert (await ann.post(f"{path}/speakers/undo")).json()["message"] == "merge undone"
    assert await counts() == whole
    assert (await ann.get(path)).json()["status"] == "ready_for_claiming"

    made = await ann.post(f"{path}/speakers/split", json={"speaker_id": two, "start": 5.9, "end": 7})
    assert made.json()["speaker_id"]
    assert await counts() == {**whole, "SPEAKER_01": {"paiseh": 1}, "SPEAKER_01 5.9-7": {"lah": 1}}
    assert (await ann.post(f"{path}/speakers/undo")).json()["message"] == "split undone"
    assert await counts() == whole
    for _ in range(2):
        assert (await ann.post(f"{path}/speakers/undo")).json()["message"] == "claim undone"
    problem(await ann.post(f"{path}/speakers/undo"), 409, "CONFLICT")
    assert {one["claimed_by"] for one in (await ann.get(f"{path}/speakers")).json()["speakers"]} == {None}


async def test_a_late_chunk_has_the_talk_heard_again_and_claims_stay_with_voices(talk: TalkScene) -> None:
    ann = await talk.user("ann")
    session = (await ann.post("/sessions")).json()["id"]
    path = f"/sessions/{session}"
    await send(ann, session, 0)
    await ann.post(f"{path}/end", json={"expected_chunks": 2})
    await talk.hears(session, HEARD)
    speakers = (await ann.get(f"{path}/speakers")).json()["speakers"]
    await ann.post(f"{path}/claim", json={"speaker_id": speakers[0]["id"], "claim_type": "self"})
    assert (await send(ann, session, 1)).json()["late"] is True
    assert (await ann.get(path)).json()["status"] == "processing"
    renamed = {"SPEAKER_00": "SPEAKER_01", "SPEAKER_01": "SPEAKER_00", "SPEAKER_02": "SPEAKER_02"}
    words = [(renamed[word["speaker"]], word["t0"], word["word"]) for word in HEARD["words"]]
    await talk.hears(session, transcript([*words, ("SPEAKER_03", 30.0, "shiok")]))
    after = {one["speaker_label"]: one for one in (await ann.get(f"{path}/speakers")).json()["speakers"]}
    assert (after["SPEAKER_01"]["id"], after["SPEAKER_01"]["claimed_by"]) == (speakers[0]["id"], "ann")
    assert sorted(after) == ["SPEAKER_00", "SPEAKER_01", "SPEAKER_02", "SPEAKER_03"]
    assert [word["word"] for word in after["SPEAKER_01"]["word_counts"]] == ["lah", "walao"]


async def test_a_session_fails_only_when_its_job_has_and_is_processing_again_when_that_is_run_again(
    talk: TalkScene,
) -> None:
    ann = await talk.user("ann")
    session = await talk.recorded(ann)
    job = (await ann.get(f"/sessions/{session}")).json()["job"]
    task = await talk.hand.claimed("audio_join")
    await talk.hand.fail(task, "SERVICE_TIMEOUT", "too slow")
    assert (await ann.get(f"/sessions/{session}")).json()["status"] == "processing"
    await talk.fleet.rows.execute("UPDATE tasks SET not_before = NULL")
    await talk.hand.fail(await talk.hand.claimed("audio_join"), "USAGE", "no sound")
    failed = (await ann.get(f"/sessions/{session}")).json()
    assert (failed["status"], failed["error_message"]) == ("failed", "no sound")
    assert (await ann.post(f"/jobs/{job}/retry")).status_code == 202
    assert (await ann.get(f"/sessions/{session}")).json()["status"] == "processing"
    await talk.hears(session, transcript([]))
    assert (await ann.get(f"/sessions/{session}")).json()["status"] == "completed"  # nobody spoke


async def test_words_are_counted_again_by_another_list_and_claims_stay(talk: TalkScene) -> None:
    ann = await talk.user("ann")
    session = await talk.recorded(ann)
    await talk.hears(session, HEARD)
    path = f"/sessions/{session}"
    speaker = (await ann.get(f"{path}/speakers")).json()["speakers"][0]["id"]
    await ann.post(f"{path}/claim", json={"speaker_id": speaker, "claim_type": "self"})
    words = WordList("plain_v2", 2, 0.5, (), (TargetWord("wah", "colloquial"), TargetWord("say", "colloquial")))
    for expected in (1, 0):
        done = await recount_sessions(talk.gateway.access.pool, talk.gateway.settings, words)
        assert done.sessions == expected
    found = (await ann.get(f"{path}/speakers")).json()["speakers"]
    assert [(one["id"] == speaker, one["claimed_by"]) for one in found] == [(True, "ann"), (False, None), (False, None)]
    assert [[word["word"] for word in one["word_counts"]] for one in found] == [["wah"], ["say"], []]


@pytest.mark.parametrize(("kept", "left"), [("samples", 3), ("drop", 0)])
async def test_sound_that_is_not_kept_goes_once_it_is_counted_and_words_stay(
    talk: TalkScene, kept: str, left: int
) -> None:
    ann = await talk.user("ann")
    session = await talk.recorded(ann)
    waiting = (await ann.post("/sessions")).json()["id"]
    await send(ann, waiting, 0, wav(50))
    here = Settings.from_env({**talk.fleet.environ, "TALK_AUDIO_RETENTION": kept, "TALK_ABANDONED_HOURS": "1"})
    upkeep = SessionUpkeep(talk.gateway.access.pool, here, talk.gateway.store)
    await upkeep.once()
    rows = talk.fleet.rows
    assert await rows.fetchval("SELECT count(*) FROM session_chunks") == 2
    await talk.hears(session, HEARD)
    await upkeep.once()
    assert await rows.fetchval("SELECT count(*) FROM session_chunks") == 1
    assert await rows.fetchval("SELECT count(*) FROM artifacts WHERE media_type LIKE 'audio/%'") == left
    speakers = (await ann.get(f"/sessions/{session}/speakers")).json()["speakers"]
    samples = [one["sample_audio_url"] for one in speakers if one["sample_audio_url"]]
    assert len(samples) == left
    for sample in samples:
        assert (await ann.get(sample)).content.startswith(b"RIFF")
    assert (await ann.get(f"/sessions/{session}/results")).json()["total_words"] == 6
    await rows.execute("UPDATE sessions SET last_chunk_at = now() - interval '2 hours' WHERE job IS NULL")
    await upkeep.once()
    abandoned = (await ann.get(f"/sessions/{waiting}")).json()
    assert (abandoned["status"], abandoned["error_message"]) == ("failed", "nobody has ended the recording")
    assert (await ann.post(f"/sessions/{waiting}/end")).json()["status"] == "processing"
