"""The step `audio_correct`."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from windmill.engines.engine import ProducedFile
from windmill.jobs.step import JobView, RunningTask, ShardInput, StepInputs, StepLimits, TaskResult
from windmill.kernels.text.spoken_words import spoken_word, written_word
from windmill.kernels.text.word_hits import count_talk
from windmill.kernels.text.word_list import WordList
from windmill.pipelines.audio.documents import read_document
from windmill.pipelines.audio.forms import AUDIO_RETRY_SECONDS, AUDIO_TRIES, CORRECT, DEFAULT_WORDS
from windmill.pipelines.audio.word_lists import FindWords, configured_words
from windmill.pipelines.job_steps.planned_runs import parameters_of_run, plan_runs

LIMITS = StepLimits(concurrency=2, tries=AUDIO_TRIES, retry_seconds=AUDIO_RETRY_SECONDS)


@dataclass(frozen=True)
class AudioCorrect:
    """Corrects a transcript, and finds the wanted words in it; `hits.json` has both."""

    find_words: FindWords = configured_words
    limits: StepLimits = LIMITS
    name: str = CORRECT.name
    version: int = CORRECT.version
    deterministic: bool = False
    streams: bool = False

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:
        return plan_runs(job, inputs)

    async def run(self, task: RunningTask) -> TaskResult:
        given = parameters_of_run(task)
        words = self.find_words(given.get("words") or DEFAULT_WORDS)
        strict = bool(given.get("strict_seed", False))
        transcript = read_document(task.files["transcript"])
        target = task.scratch / "hits.json"
        document = await asyncio.to_thread(corrected_document, transcript, words, strict=strict)
        await asyncio.to_thread(_write, target, document)
        output = {"files": 1, "words": len(document["corrected"]), "hits": len(document["hits"])}
        return TaskResult(output, [ProducedFile(target.name, target, "application/json")])


def corrected_document(transcript: Mapping[str, Any], words: WordList, *, strict: bool) -> dict[str, Any]:
    """What `hits.json` holds: by which list, what was said, and the wanted words."""
    counted = count_talk([spoken_word(one) for one in transcript["words"]], words, strict=strict)
    return {
        "list": {"name": words.name, "version": words.version, "strict": strict},
        "corrected": [written_word(one) for one in counted.words],
        "hits": [asdict(hit) for hit in counted.hits],
    }


def _write(target: Path, document: Mapping[str, Any]) -> None:
    target.write_bytes(orjson.dumps(document))
