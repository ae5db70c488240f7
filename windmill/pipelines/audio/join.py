"""The step `audio_join`."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from windmill.core.errors import WindmillError
from windmill.jobs.step import JobView, RunningTask, ShardInput, StepInputs, StepLimits, TaskResult
from windmill.media.audio.decoding import AudioTools
from windmill.media.audio.joining import ChunkFile, JoinedTalk, join_chunks
from windmill.pipelines.audio.audio_files import TALK, configured_audio_tools, json_file, rounded, wave_file
from windmill.pipelines.audio.forms import AUDIO_RETRY_SECONDS, AUDIO_TRIES, JOIN
from windmill.pipelines.audio.session_chunks import FetchesChunks, SentChunks, WholeRecording, fetch_stored_chunks
from windmill.pipelines.job_steps.planned_runs import parameters_of_run, plan_runs
from windmill.pipelines.video.video_task import folder_of, values_of, work_on

LIMITS = StepLimits(concurrency=1, timeout_seconds=86_400, tries=AUDIO_TRIES, retry_seconds=AUDIO_RETRY_SECONDS)
_QUIET, _CLIPPED = -45.0, 0.001


@dataclass(frozen=True)
class AudioJoin:
    """Decodes a file, or all chunks of a session, to one WAV file."""

    tools: Callable[[], AudioTools] = configured_audio_tools
    fetch: FetchesChunks = fetch_stored_chunks
    limits: StepLimits = LIMITS
    name: str = JOIN.name
    version: int = JOIN.version
    deterministic: bool = False
    streams: bool = False

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:
        return plan_runs(job, inputs)

    async def run(self, task: RunningTask) -> TaskResult:
        given = values_of(JOIN, parameters_of_run(task))
        chunks = await self._chunks(task, given)
        return await work_on(task, self.tools, lambda tools: _join(tools, task, chunks))

    async def _chunks(self, task: RunningTask, given: dict[str, Any]) -> SentChunks:
        if files := task.files.get("audio"):
            return SentChunks([ChunkFile(WholeRecording(), files[0])])
        if not given.get("session"):
            raise WindmillError("USAGE", "audio_join needs a recording, or the id of a session")
        return await self.fetch(given["session"], folder_of(task, "chunks"))


def _join(tools: AudioTools, task: RunningTask, chunks: SentChunks) -> TaskResult:
    folder = folder_of(task, "out")
    joined = join_chunks(tools, chunks.files, folder, task.progress, chunks.expected)
    document = {
        "duration": round(joined.seconds, 3),
        "gaps": rounded(joined.gaps),
        **{name: round(value, 6) for name, value in asdict(joined.levels).items()},
    }
    # The outline is for people alone, so it stands in the file, and is not handed from step to step.
    files = [json_file(folder, TALK, {**document, "outline": joined.outline}), wave_file(joined.path)]
    return TaskResult({"talk": document}, files, warnings=[*joined.warnings, *_complaints(joined)])


def _complaints(joined: JoinedTalk) -> list[str]:
    """What makes words hard to hear."""
    said = []
    if joined.gaps:
        seconds = sum(end - start for start, end in joined.gaps)
        said.append(f"{seconds:.1f} s of the recording are missing, in {len(joined.gaps)} places")
    if joined.levels.loudness < _QUIET:
        said.append(f"the recording is very quiet: {joined.levels.loudness:g} dB")
    if joined.levels.clipped > _CLIPPED:
        said.append(f"{joined.levels.clipped:.1%} of the recording are cut off, as it was recorded too loud")
    return said
