"""Voices of a talk over HTTP: claimed, merged, split, and heard or counted again."""

import asyncio

import pytest

from tests.integration.gateway.heard_talk import HEARD
from tests.integration.gateway_scene import problem
from tests.integration.talk_scene import TalkScene, send, transcript, wav
from windmill.core.settings import Settings
from windmill.kernels.text.word_list import TargetWord, WordList
from windmill.operate.sessions.recounting import recount_sessions
from windmill.operate.sessions.upkeep import SessionUpkeep

pytestmark = pytest.mark.database


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
