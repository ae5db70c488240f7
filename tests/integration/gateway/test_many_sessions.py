"""Talk in number over HTTP: all orders of chunks, a thousand races for a voice, and gateways killed under uploads."""

import asyncio
import hashlib
import itertools
import random
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.integration.fleet import Command, Fleet
from tests.integration.gateway_scene import GatewayScene, problem
from tests.integration.talk_scene import send, talk_scene, transcript, wav
from tests.waiting import turns, until
from windmill.core.settings import Settings
from windmill.operate.artifacts import verify_artifacts

pytestmark = pytest.mark.database

CHUNKS = 6
RACES = 1_000
CLIENTS, EACH, KILLS = 20, 8, 4


@pytest.mark.timeout(1_200)
@pytest.mark.slow(reason="2 minutes: 720 recordings of six chunks")
async def test_in_whatever_order_six_chunks_come_the_same_is_heard(
    fleet: Fleet, settings: Settings, tmp_path: Path
) -> None:
    """Each recording has one chunk twice, and one number with other bytes; the last chunk comes after the end."""
    async with talk_scene(fleet, settings, tmp_path) as talk:
        ann, dice = await talk.user(), random.Random(5)
        for order in itertools.permutations(range(CHUNKS)):
            session = (await ann.post("/sessions")).json()["id"]
            twice = dice.choice(order[:-1])
            for number in order[:-1]:
                assert (await send(ann, session, number)).status_code == 201
            assert (await send(ann, session, twice)).json()["duplicate"] is True
            problem(await send(ann, session, twice, wav(99)), 409, "CONFLICT")
            ended = (await ann.post(f"/sessions/{session}/end", json={"expected_chunks": CHUNKS})).json()
            assert ended["missing"] == [order[-1]]
            assert (await send(ann, session, order[-1])).json()["late"] is True
        rows = await talk.fleet.rows.fetch(
            "SELECT array_agg(sha256 ORDER BY number) AS heard, count(*) FROM session_chunks GROUP BY session_id"
        )
        assert len(rows) == 720
        assert {tuple(row["heard"]) for row in rows} == {
            tuple(hashlib.sha256(wav(number)).hexdigest() for number in range(CHUNKS))
        }


@pytest.mark.timeout(1_200)
@pytest.mark.slow(reason="2 minutes: a thousand races")
async def test_of_a_thousand_races_for_a_voice_one_wins_each_and_the_other_is_told_who(
    fleet: Fleet, settings: Settings, tmp_path: Path
) -> None:
    async with talk_scene(fleet, settings, tmp_path) as talk:
        ann, bob = await talk.user("ann"), await talk.user("bob")
        group = (await ann.post("/groups", json={"name": "lunch"})).json()
        await bob.post("/groups/join", json={"invite_code": group["invite_code"]})
        session = await talk.recorded(ann, group_id=group["id"])
        await talk.hears(session, transcript([("SPEAKER_00", 0.0, "lah")]))
        path = f"/sessions/{session}"
        speaker = (await ann.get(f"{path}/speakers")).json()["speakers"][0]["id"]
        body, wins = {"speaker_id": speaker, "claim_type": "self"}, {"ann": 0, "bob": 0}
        for _ in range(RACES):
            answers = await asyncio.gather(*(who.post(f"{path}/claim", json=body) for who in (ann, bob)))
            codes = [answer.status_code for answer in answers]
            assert sorted(codes) == [200, 409]
            winner = ("ann", "bob")[codes.index(200)]
            lost = answers[codes.index(409)].json()
            assert (lost["claimant"], lost["claimed_by"]) == (winner, winner)
            wins[winner] += 1
            assert (await ann.post(f"{path}/unclaim", json={"speaker_id": speaker})).status_code == 200
        assert sum(wins.values()) == RACES
        claims = await talk.fleet.rows.fetchval("SELECT count(*) FROM session_changes WHERE kind = 'claim'")
        assert claims == RACES, "a claim that is lost changes nothing"


@dataclass
class Uploads:
    """Clients that send the chunks of their sessions again until they are answered. Mutable."""

    scene: GatewayScene
    key: str
    up: asyncio.Event = field(default_factory=asyncio.Event)
    answered: dict[tuple[str, int], str] = field(default_factory=dict)
    broken: int = 0

    async def one(self, number: int) -> None:
        session = str((await self._again("POST", "/sessions")).json()["id"])
        for chunk in range(EACH):
            data = wav(number) + bytes([chunk]) * 40_000
            files = {"file": ("a.wav", data)}
            answer = await self._again("PUT", f"/sessions/{session}/chunks/{chunk}", files=files)
            digest = hashlib.sha256(data).hexdigest()
            assert answer.json()["sha256"] == digest
            self.answered[session, chunk] = digest

    async def _again(self, method: str, path: str, **given: object) -> httpx.Response:
        while True:
            await self.up.wait()
            try:
                async with httpx.AsyncClient(base_url=self.scene.url, timeout=60) as client:
                    headers = {"Authorization": f"Bearer {self.key}"}
                    answer = await client.request(method, path, headers=headers, **given)  # type: ignore[arg-type]
            except httpx.TransportError:
                self.broken += 1
                await turns(1)  # to whoever starts the next gateway
                continue
            assert answer.status_code in (200, 201), answer.text
            return answer

    def _has(self, number: int) -> bool:
        return len(self.answered) >= number

    async def kill_now_and_then(self, gateway: Command) -> None:
        for kill in range(1, KILLS + 1):
            await until(partial(self._has, CLIENTS * EACH * kill // (KILLS + 1)), 200)
            self.up.clear()
            await gateway.kill()
            gateway = await self.scene.start(GATEWAY_REQUESTS_PER_MINUTE="1000000")
            self.up.set()


@pytest.mark.slow(reason="30 s: gateways are started again and again")
async def test_no_byte_that_was_answered_is_lost_however_often_the_gateway_is_killed(scene: GatewayScene) -> None:
    gateway = await scene.start(GATEWAY_REQUESTS_PER_MINUTE="1000000")
    uploads = Uploads(scene, await scene.key("operator"))
    uploads.up.set()
    await asyncio.gather(uploads.kill_now_and_then(gateway), *map(uploads.one, range(CLIENTS)))
    rows = await scene.fleet.rows.fetch("SELECT session_id, number, sha256 FROM session_chunks")
    kept = {(str(row["session_id"]), row["number"]): row["sha256"] for row in rows}
    assert kept == uploads.answered
    assert len(kept) == CLIENTS * EACH
    assert uploads.broken, "no upload was under way when the gateway was killed"
    here = Settings.from_env({**scene.fleet.environ, "ARTIFACTS_URL": str(scene.store)})
    assert await verify_artifacts(here, content=True) == []
