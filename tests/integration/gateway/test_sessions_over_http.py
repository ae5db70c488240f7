"""Talk from the first chunk to the year's review, over HTTP."""

import asyncio
import base64
import hashlib
import itertools
import random
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.integration.gateway.heard_talk import HEARD
from tests.integration.gateway_scene import problem
from tests.integration.talk_scene import TalkScene, send, wav
from windmill.core.settings import Settings
from windmill.operate.artifacts import sweep_artifacts, verify_artifacts

pytestmark = pytest.mark.database


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
