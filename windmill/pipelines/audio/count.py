"""The step `audio_count`."""

import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from windmill.core.errors import WindmillError
from windmill.core.settings import load_settings
from windmill.engines.engine import ProducedFile
from windmill.jobs.step import JobView, RunningTask, ShardInput, StepInputs, StepLimits, TaskResult
from windmill.kernels.text.spoken_words import spoken_word
from windmill.kernels.text.word_hits import CountedTalk, WordHit, counts_of
from windmill.pipelines.audio.documents import read_document
from windmill.pipelines.audio.forms import AUDIO_RETRY_SECONDS, AUDIO_TRIES, COUNT
from windmill.pipelines.job_steps.planned_runs import plan_runs
from windmill.storage import database
from windmill.storage.sessions.counting import CountingRule, HeardTalk, heard_talk, save_talk

LIMITS = StepLimits(concurrency=2, tries=AUDIO_TRIES, retry_seconds=AUDIO_RETRY_SECONDS)


@dataclass(frozen=True)
class TalkResult:
    """What a job has found out about a session."""

    session: uuid.UUID
    job: uuid.UUID
    talk: HeardTalk
    counted: CountedTalk
    rule: CountingRule


SaveTalk = Callable[[TalkResult], Awaitable[bool]]


async def save_in_database(result: TalkResult) -> bool:
    """Whether the session is still worked on by this job."""
    async with (
        database.connection(load_settings(), "windmill audio_count") as connection,
        connection.transaction(isolation="read_committed"),
    ):
        return await save_talk(connection, result.session, result.job, result.talk, result.counted, result.rule)


@dataclass(frozen=True)
class AudioCount:
    """Counts the wanted words of each speaker; `counts.json` has the sums, and the session, if there is one, its
    rows. Writing them twice leaves the same rows."""

    save: SaveTalk = save_in_database
    limits: StepLimits = LIMITS
    name: str = COUNT.name
    version: int = COUNT.version
    deterministic: bool = False
    streams: bool = False

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:
        return plan_runs(job, inputs)

    async def run(self, task: RunningTask) -> TaskResult:
        found, transcript = read_document(task.files["hits"]), read_document(task.files["transcript"])
        hits = [WordHit(**one) for one in found["hits"]]
        warnings = []
        if session := session_of(task.job.inputs):
            counted = CountedTalk([spoken_word(one) for one in found["corrected"]], hits)
            rule = CountingRule(**found["list"])
            result = TalkResult(session, task.job.public_id, heard_talk(transcript), counted, rule)
            if not await self.save(result):
                warnings.append("another job works on the session by now, so nothing was written to it")
        target = task.scratch / "counts.json"
        counts = {speaker: dict(words) for speaker, words in counts_of(hits).items()}
        target.write_bytes(orjson.dumps({"list": found["list"], "counts": counts}))
        made = [ProducedFile(target.name, target, "application/json")]
        return TaskResult({"files": 1, "hits": len(hits), "speakers": len(counts)}, made, warnings=warnings)


def session_of(inputs: Mapping[str, Any]) -> uuid.UUID | None:
    """The session that a job works on."""
    given = inputs.get("session")
    if not given:
        return None
    try:
        return uuid.UUID(str(given))
    except ValueError:
        raise WindmillError("USAGE", f"{given!r:.80} is no id of a session") from None
