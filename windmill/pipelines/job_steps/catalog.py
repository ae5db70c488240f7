"""All steps of this version, which worker and child processes look up here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from windmill.core.settings import load_settings
from windmill.engines.engine_thread import EngineThread
from windmill.engines.registry import Engines, configured_engines, open_engines
from windmill.jobs.step import StepCatalog
from windmill.pipelines.audio.attribute import AudioAttribute
from windmill.pipelines.audio.correct import AudioCorrect
from windmill.pipelines.audio.count import AudioCount
from windmill.pipelines.audio.diarise import AudioDiarise
from windmill.pipelines.audio.join import AudioJoin
from windmill.pipelines.audio.samples import AudioSamples
from windmill.pipelines.audio.transcribe import AudioTranscribe
from windmill.pipelines.audio.vad import AudioVad
from windmill.pipelines.export.step import ExportStep
from windmill.pipelines.image import PICTURE_STEPS
from windmill.pipelines.job_steps.engine_step import EngineStep
from windmill.pipelines.job_steps.picture_task import PictureTask
from windmill.pipelines.video.detect import VideoDetect
from windmill.pipelines.video.draw import VideoDraw
from windmill.pipelines.video.encode import VideoEncode
from windmill.pipelines.video.plan import VideoPlan
from windmill.pipelines.video.sample import VideoSample
from windmill.pipelines.video.stitch import VideoStitch
from windmill.pipelines.video.thumbnails import VideoThumbnails
from windmill.pipelines.video.track import VideoTrack
from windmill.pipelines.video.verify import VideoVerify


@asynccontextmanager
async def _open_configured() -> AsyncIterator[Engines]:
    async with open_engines(configured_engines(load_settings())) as engines:
        yield engines


ENGINES = EngineThread(_open_configured)
"""Opened by the first task that needs them."""
VIDEO_STEPS = (
    VideoPlan(),
    VideoEncode(ENGINES),
    VideoSample(),
    VideoDetect(ENGINES),
    VideoTrack(),
    VideoDraw(),
    VideoVerify(),
    VideoStitch(),
    VideoThumbnails(),
)
AUDIO_STEPS = (
    AudioJoin(),
    AudioVad(ENGINES),
    AudioDiarise(ENGINES),
    AudioTranscribe(ENGINES),
    AudioAttribute(),
    AudioCorrect(),
    AudioCount(),
    AudioSamples(),
)
STEPS = StepCatalog(
    [EngineStep(ENGINES), *map(PictureTask, PICTURE_STEPS.values()), *VIDEO_STEPS, *AUDIO_STEPS, ExportStep()],
    "windmill.pipelines.job_steps.catalog:STEPS",
)
