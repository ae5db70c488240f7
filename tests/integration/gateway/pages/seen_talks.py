"""A talk that people look at: recorded over HTTP, heard by the hand of the test, with real sound in the store."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from tests.integration.gateway.pages.page_scene import PageScene
from tests.integration.talk_scene import PLAYED, send, transcript
from tests.job_scene import JobScene
from tests.unit.kernels.talk_text import SINGLISH
from windmill.core.settings import Settings
from windmill.jobs.outcomes import TaskSucceeded
from windmill.kernels.audio.pcm import RATE, Pcm
from windmill.kernels.audio.sound_outline import SoundOutline
from windmill.kernels.text.word_hits import count_talk
from windmill.media.audio.wave_files import write_wave
from windmill.pipelines.audio.forms import AUDIO_FORMS
from windmill.storage.artifacts.opening import open_artifact_store
from windmill.storage.artifacts.store import ArtifactStore
from windmill.storage.jobs.rows import StoredArtifact
from windmill.storage.sessions.counting import CountingRule, heard_talk, save_talk
from windmill.storage.transactions import transaction

SECONDS, GAP = 20.0, (12.0, 15.0)
SPOKEN = (
    ("SPEAKER_00", 0.5, "see you at lunch hour"),
    ("SPEAKER_01", 4.0, "wah lao you late lah"),
    ("SPEAKER_00", 8.0, "pie say lah"),
    ("SPEAKER_01", 16.0, "can lah shiok"),
)


def words_of(spoken: Sequence[tuple[str, float, str]] = SPOKEN) -> list[tuple[str, float, str]]:
    """A word each half a second."""
    return [(who, at + 0.5 * place, word) for who, at, text in spoken for place, word in enumerate(text.split())]


@dataclass(frozen=True)
class Talk:
    """A session that was heard."""

    session: str
    ann: httpx.AsyncClient

    @property
    def url(self) -> str:
        return f"/ui/sessions/{self.session}"

    async def speakers(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.ann.get(f"/sessions/{self.session}/speakers")).json()["speakers"]
        return found


class TalkHand:
    """Plays the workers of talks in a gateway that is another process."""

    def __init__(self, pages: PageScene) -> None:
        fleet, access = pages.fleet, pages.scene.jobs.access
        self._pages, self._folder = pages, fleet.folder
        self._hand = JobScene(access.pool, access.settings, fleet.rows, PLAYED)
        self._store: ArtifactStore = open_artifact_store(
            Settings.from_env({**fleet.environ, "ARTIFACTS_URL": str(pages.scene.store)})
        )

    async def recorded(self, client: httpx.AsyncClient, *, end: bool = True, **given: object) -> str:
        """A session of one chunk, and one that is missing."""
        session = str((await client.post("/sessions", json=given)).json()["id"])
        assert (await send(client, session, 0)).status_code == 201
        if end:
            assert (await client.post(f"/sessions/{session}/end", json={"expected_chunks": 2})).status_code == 200
        return session

    async def hears(self, session: str, heard: Mapping[str, Any], last: str = "audio_samples") -> None:
        """All steps up to the last one that is named."""
        job = await self._pages.fleet.rows.fetchval(
            "SELECT job FROM sessions WHERE session_id = $1", uuid.UUID(session)
        )
        for name in AUDIO_FORMS:
            task = await self._hand.claimed(name)
            if name == "audio_count":
                await self._counts(session, job, heard)
            await self._hand.end(task, TaskSucceeded({}, [await self._kept(path) for path in self._files(name, heard)]))
            if name == last:
                return

    def _files(self, step: str, heard: Mapping[str, Any]) -> list[Path]:
        if step == "audio_join":
            sound = made_sound(heard["words"], heard["duration"])
            outline = SoundOutline()
            outline.feed(sound)
            told = {"duration": heard["duration"], "gaps": [GAP], "loudness": -21.4, "outline": outline.steps()}
            return [write_wave(self._folder / "talk.wav", sound), self._json("talk.json", told)]
        if step == "audio_diarise":
            turns = [{"speaker": who, "t0": at, "t1": at + 0.5 * len(text.split())} for who, at, text in SPOKEN]
            return [self._json("turns.json", turns)]
        if step == "audio_samples":
            part = made_sound(heard["words"], heard["duration"])[: RATE * 2]
            return [write_wave(self._folder / f"sample_{one['label']}.wav", part) for one in heard["speakers"]]
        return []

    def _json(self, name: str, document: object) -> Path:
        path = self._folder / name
        path.write_text(json.dumps(document))
        return path

    async def _kept(self, path: Path) -> StoredArtifact:
        kind = "audio/wav" if path.suffix == ".wav" else "application/json"
        blob = await self._store.put(path, kind)
        return StoredArtifact(path.name, blob.media_type, blob.size, blob.sha256, blob.key)

    async def _counts(self, session: str, job: uuid.UUID, heard: Mapping[str, Any]) -> None:
        talk, access = heard_talk(heard), self._hand.access
        counted, rule = count_talk(talk.words, SINGLISH), CountingRule(SINGLISH.name, SINGLISH.version)
        async with transaction(access.pool, access.settings) as rows:
            assert await save_talk(rows, uuid.UUID(session), job, talk, counted, rule)


def made_sound(words: Sequence[Mapping[str, Any]], seconds: float) -> Pcm:
    """A tone for each word, another for each speaker."""
    sound = np.zeros(round(seconds * RATE), np.int16)
    for word in words:
        time = np.arange(round(0.4 * RATE)) / RATE
        tone = 6_000 * np.sin(2 * np.pi * (180 if word["speaker"].endswith("0") else 320) * time)
        start = round(word["t0"] * RATE)
        sound[start : start + len(tone)] = tone.astype(np.int16)[: len(sound) - start]
    return sound


def heard(spoken: Sequence[tuple[str, float, str]] = SPOKEN, seconds: float = SECONDS) -> dict[str, Any]:
    return transcript(words_of(spoken), seconds)
