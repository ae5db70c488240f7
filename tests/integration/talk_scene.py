"""A gateway in this process whose workers of talk are played by the test: what was heard is written down by hand, and
all that is made of it is real."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from gateway.app import create_app
from gateway.border import Border
from gateway.context import Gateway
from gateway.server import open_gateway
from tests.integration.fleet import Fleet
from tests.job_scene import JobScene
from tests.unit.kernels.talk_text import SINGLISH
from windmill.core.settings import Settings
from windmill.jobs.outcomes import TaskSucceeded
from windmill.jobs.step import JobView, RunningTask, ShardInput, StepCatalog, StepInputs, StepLimits, TaskResult
from windmill.kernels.text.word_hits import count_talk
from windmill.operate.keys.keys import NewKey, create_key
from windmill.pipelines.audio.forms import AUDIO_FORMS
from windmill.process.lifecycle import Program
from windmill.storage import database
from windmill.storage.api_keys import KeyScope
from windmill.storage.audit_log import Actor
from windmill.storage.jobs.rows import StoredArtifact
from windmill.storage.sessions.counting import CountingRule, heard_talk, save_talk
from windmill.storage.transactions import transaction

WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "


def wav(number: int) -> bytes:
    """The beginning of a recording, and some bytes that no other has."""
    return WAV + bytes([number]) * 100


@dataclass(frozen=True)
class PlayedStep:
    """One task, which the test ends."""

    name: str
    version: int = 1
    deterministic: bool = False
    streams: bool = False
    limits: StepLimits = field(default_factory=StepLimits)

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:
        return [{}]

    async def run(self, task: RunningTask) -> TaskResult:
        raise AssertionError(f"nobody runs {task.name}")


PLAYED = StepCatalog([PlayedStep(name) for name in AUDIO_FORMS])


def transcript(words: Sequence[tuple[str, float, str]], duration: float = 60.0) -> dict[str, Any]:
    """Words of half a second, each with its speaker and when it begins."""
    heard = [
        {"t0": at, "t1": at + 0.4, "word": word, "confidence": 0.9, "speaker": speaker} for speaker, at, word in words
    ]
    labels = sorted({speaker for speaker, _, _ in words})
    speakers = [{"label": label, "segments": 1, "seconds": 1.0} for label in labels]
    return {"speakers": speakers, "words": heard, "duration": duration}


class TalkScene:
    """Clients, and the hand that plays workers."""

    def __init__(self, fleet: Fleet, gateway: Gateway, stack: AsyncExitStack) -> None:
        self.fleet, self.gateway, self._stack = fleet, gateway, stack
        self.hand = JobScene(gateway.access.pool, gateway.access.settings, fleet.rows, PLAYED)
        self._transport = httpx.ASGITransport(Border(create_app(gateway), gateway))

    async def user(self, principal: str = "ann", scope: KeyScope = "operator") -> httpx.AsyncClient:
        new = NewKey(f"{principal}'s", principal, scope)
        key = (await create_key(self.gateway.access.pool, self.fleet.settings, Actor("test"), new)).text
        headers = {"Authorization": f"Bearer {key}"}
        client = httpx.AsyncClient(transport=self._transport, base_url="http://localhost", headers=headers, timeout=60)
        return await self._stack.enter_async_context(client)

    async def recorded(self, client: httpx.AsyncClient, **given: object) -> str:
        """A session of one chunk that was ended."""
        session = (await client.post("/sessions", json=given)).json()["id"]
        assert (await send(client, session, 0)).status_code == 201
        assert (await client.post(f"/sessions/{session}/end")).status_code == 200
        return str(session)

    async def hears(self, session: str, heard: Mapping[str, Any], *, to_its_end: bool = True) -> None:
        """Play all workers of the job of the session."""
        for name in AUDIO_FORMS:
            if name == "audio_samples" and not to_its_end:
                return
            await self.works(name, session, heard)

    async def works(self, name: str, session: str, heard: Mapping[str, Any]) -> None:
        """Play the worker of one step."""
        task = await self.hand.claimed(name)
        if name == "audio_count":
            await self.counts(session, heard)
        last = name == "audio_samples"
        made = await self._samples(heard) if last else []
        await self.hand.end(task, TaskSucceeded({"starts": _first_words(heard)} if last else {}, made))

    async def counts(self, session: str, heard: Mapping[str, Any]) -> bool:
        talk = heard_talk(heard)
        job = await self.fleet.rows.fetchval("SELECT job FROM sessions WHERE session_id = $1", uuid.UUID(session))
        counted, rule = count_talk(talk.words, SINGLISH), CountingRule(SINGLISH.name, SINGLISH.version)
        async with transaction(self.gateway.access.pool, self.gateway.settings) as rows:
            return await save_talk(rows, uuid.UUID(session), job, talk, counted, rule)

    async def _samples(self, heard: Mapping[str, Any]) -> list[StoredArtifact]:
        found = []
        for number, speaker in enumerate(heard["speakers"]):
            path = self.fleet.folder / "sample.wav"
            path.write_bytes(wav(100 + number))
            blob = await self.gateway.store.put(path, "audio/wav")
            name = f"sample_{speaker['label']}.wav"
            found.append(StoredArtifact(name, blob.media_type, blob.size, blob.sha256, blob.key))
        return found


def _first_words(heard: Mapping[str, Any]) -> dict[str, float]:
    """Where the samples begin: that of each voice with its first word."""
    return {f"sample_{word['speaker']}.wav": word["t0"] for word in reversed(heard["words"])}


async def send(
    client: httpx.AsyncClient, session: str, number: int, data: bytes | None = None, **given: object
) -> httpx.Response:
    """The chunk with this number."""
    files = {"file": ("chunk.wav", wav(number) if data is None else data)}
    return await client.put(f"/sessions/{session}/chunks/{number}", files=files, data=given)


@asynccontextmanager
async def talk_scene(fleet: Fleet, settings: Settings, folder: Path) -> AsyncIterator[TalkScene]:
    here = replace(settings, artifacts_url=folder / "artifacts", gateway_requests_per_minute=1_000_000)
    async with AsyncExitStack() as stack, database.pool(here, "test", max_size=8) as pool:
        gateway = await open_gateway(Program("windmill-gateway", "gateway", here, asyncio.Event()), pool)
        gateway = replace(gateway, access=replace(gateway.access, catalog=PLAYED))
        yield TalkScene(fleet, gateway, stack)
