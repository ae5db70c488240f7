"""The steps that a preset may name in `run`, besides `engine`: what they are given and what they make."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from windmill.pipelines.audio.forms import AUDIO_FORMS, AudioForm
from windmill.pipelines.export import form
from windmill.pipelines.image import PICTURE_STEPS
from windmill.pipelines.values import FileType, ValueSpec
from windmill.pipelines.video.forms import VIDEO_FORMS, VideoForm


@dataclass(frozen=True)
class KnownStep:
    """What a step needs and makes, whoever carries it out. A step without a file as its result makes none."""

    name: str
    description: str
    inputs: Mapping[str, FileType] = field(default_factory=dict)
    parameters: Mapping[str, ValueSpec] = field(default_factory=dict)
    produces: FileType | None = None
    takes_engine: bool = False
    """Whether an engine may do a part of it, if the preset names a task for one."""
    weight: float = 1.0
    optional: frozenset[str] = frozenset()
    """Inputs that a preset may leave out."""

    @property
    def main_input(self) -> str | None:
        """The input that is what the step before made, unless the preset says otherwise."""
        return next(iter(self.inputs), None)

    @property
    def needs(self) -> list[str]:
        """The inputs without which it has nothing to work on."""
        return [name for name in self.inputs if name not in self.optional]


RERUN_JOB = KnownStep(
    "rerun_job",
    "runs a job once more, at another quality and by another engine",
    parameters={
        "job": ValueSpec("job", "the job to run again", required=True),
        "quality": ValueSpec("text", "the level to run it at"),
        "other_engine": ValueSpec("boolean", "leave out the engine that it failed with", default=True),
    },
)
EXPORT = KnownStep(form.NAME, form.DESCRIPTION, parameters=form.PARAMETERS)


def _of_form(video: VideoForm) -> KnownStep:
    made = (video.inputs, video.parameters, video.produces, video.takes_engine, video.weight)
    return KnownStep(video.name, video.description, *made)


def _of_audio_form(audio: AudioForm) -> KnownStep:
    made = (audio.inputs, audio.parameters, audio.produces, audio.takes_engine, audio.weight, audio.optional)
    return KnownStep(audio.name, audio.description, *made)


KNOWN_STEPS: Mapping[str, KnownStep] = {
    **{
        step.name: KnownStep(step.name, step.description, step.inputs, step.parameters, step.produces)
        for step in PICTURE_STEPS.values()
    },
    **{video.name: _of_form(video) for video in VIDEO_FORMS.values()},
    **{audio.name: _of_audio_form(audio) for audio in AUDIO_FORMS.values()},
    EXPORT.name: EXPORT,
    RERUN_JOB.name: RERUN_JOB,
}
