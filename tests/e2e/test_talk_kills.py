"""Workers of talk that are killed, at every step: a session ends once, and nothing is counted twice."""

import itertools
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from dev.farm.audio.tones import say
from tests.e2e.deadly_audio_worker import STEPS, catalog
from tests.integration.fleet import Fleet
from tests.waiting import until
from windmill import broker
from windmill.core.settings import Settings
from windmill.jobs.access import JobAccess
from windmill.kernels.audio.pcm import RATE
from windmill.media.audio.wave_files import write_wave
from windmill.operate.sessions.people import Person
from windmill.operate.sessions.reading import show_speakers
from windmill.operate.sessions.recording import NewSession, begin_session, end_session, take_chunk
from windmill.pipelines.presets.preset_library import load_presets
from windmill.storage import database
from windmill.storage.artifacts.opening import open_artifact_store
from windmill.storage.audit_log import Actor
from windmill.storage.sessions.chunks import SessionChunk

pytestmark = [pytest.mark.database, pytest.mark.broker]

PATIENCE = 280
ANN = Person(Actor("ann"))
TURNS = ((0, ["lah", "makan", "lah"]), (1, ["shiok", "sia"]), (0, ["lor"]), (1, ["alamak", "lah", "lah"]))
SAID = {"SPEAKER_00": {"lah": 2, "lor": 1}, "SPEAKER_01": {"shiok": 1, "sia": 1, "alamak": 1, "lah": 2}}


@dataclass(frozen=True)
class KillScene:
    """A session that was recorded, and workers that die over it."""

    fleet: Fleet
    access: JobAccess
    settings: Settings

    async def recorded(self) -> str:
        library, store = load_presets(self.settings.presets_dir), open_artifact_store(self.settings)
        session = (await begin_session(self.access, ANN, NewSession())).session_id
        for number, sound in enumerate(self._chunks()):
            blob = await store.put(sound, "audio/wav")
            chunk = SessionChunk(number, "audio/wav", blob.size, blob.sha256, None, None)
            await take_chunk(self.access, library, ANN, session, chunk)
        await end_session(self.access, library, ANN, session)
        return str(session)

    def _chunks(self) -> list[Path]:
        pause = np.zeros(round(0.7 * RATE), np.int16)
        folder = self.fleet.folder
        return [
            write_wave(folder / f"{number}.wav", np.concatenate([pause, say(words, speaker)]))
            for number, (speaker, words) in enumerate(TURNS)
        ]

    async def dies(self, step: str, when: str) -> None:
        worker = self.fleet.start("tests.e2e.deadly_audio_worker", step, when, STEPS="all")
        await until(lambda: worker.process.poll() is not None, PATIENCE, self.fleet.logs)
        assert worker.process.returncode == -9, self.fleet.logs()

    async def must_not_have_failed(self, session: str) -> str:
        statement = "SELECT status FROM session_states WHERE session_id = $1::uuid"
        status = str(await self.fleet.rows.fetchval(statement, session))
        assert status != "failed", self.fleet.logs()
        return status


@pytest.fixture
async def scene(fleet: Fleet, settings: Settings) -> AsyncIterator[KillScene]:
    fleet.environ |= {"TASK_LEASE_SECONDS": "6", "ARTIFACTS_URL": str(fleet.folder / "artifacts")}
    here = Settings.from_env(fleet.environ)
    async with database.pool(settings, "test", max_size=4) as pool:
        yield KillScene(fleet, JobAccess(pool, here, catalog()), here)
    await fleet.kill_all()
    async with broker.connection(settings, "test") as opened:
        await broker.delete_step_queues(opened, settings, [step.name for step in STEPS])


@pytest.mark.timeout(900)
@pytest.mark.slow(reason="30 s for each step: a worker dies before its work, another after it")
@pytest.mark.parametrize("step", [one.name for one in STEPS])
async def test_a_worker_killed_in_any_step_costs_nothing_and_nothing_is_counted_twice(
    scene: KillScene, step: str
) -> None:
    session = await scene.recorded()
    for when in ("before", "after"):
        await scene.dies(step, when)
        assert await scene.must_not_have_failed(session) == "processing"
    scene.fleet.start("tests.e2e.deadly_audio_worker", STEPS="all")

    async def is_heard() -> bool:
        return await scene.must_not_have_failed(session) == "ready_for_claiming"

    await until(is_heard, PATIENCE, scene.fleet.logs)
    rows = scene.fleet.rows
    _, speakers = await show_speakers(scene.access, (await rows.fetchval("SELECT session_id FROM sessions")), ANN)
    assert {one.label: {word.word: word.count for word in one.counts} for one in speakers} == SAID
    assert await rows.fetchval("SELECT count(*) FROM session_hits") == sum(
        itertools.chain(*map(_counts, SAID.values()))
    )
    kinds = Counter(row["kind"] for row in await rows.fetch("SELECT kind FROM job_events"))
    assert (kinds["succeeded"], kinds["failed"]) == (1, 0)
    # On a busy machine a worker that lives may lose a lease as well.
    assert await rows.fetchval("SELECT sum(lost) FROM tasks") >= 2
    assert await rows.fetchval("SELECT count(*) FROM jobs") == 1


def _counts(words: dict[str, int]) -> list[int]:
    return list(words.values())
