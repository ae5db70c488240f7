"""The stages in which a talk is worked on, as people see them who know nothing of steps: names and per cent. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from windmill.pipelines.audio import forms


@dataclass(frozen=True)
class AudioStage:
    """A stage, and from which per cent of the whole to which a step of it goes."""

    name: str
    begins: int
    ends: int


@dataclass(frozen=True)
class StepShare:
    """A step of a job, and how much of it is done, in 0..1."""

    step: str
    done: float


@dataclass(frozen=True)
class StageProgress:
    """Where a talk stands."""

    stage: str
    percent: int


STAGES: Mapping[str, AudioStage] = {
    forms.JOIN.name: AudioStage("concatenating", 0, 10),
    forms.VAD.name: AudioStage("diarizing", 10, 15),
    forms.DIARISE.name: AudioStage("diarizing", 15, 40),
    forms.TRANSCRIBE.name: AudioStage("transcribing", 40, 80),
    forms.ATTRIBUTE.name: AudioStage("transcribing", 80, 85),
    forms.CORRECT.name: AudioStage("saving_results", 85, 88),
    forms.COUNT.name: AudioStage("saving_results", 88, 95),
    forms.SAMPLES.name: AudioStage("generating_samples", 95, 100),
}


def progress_of(steps: Sequence[StepShare]) -> StageProgress:
    """The stage of the first step that is not done; whole per cent, rounded down."""
    known = [one for one in steps if one.step in STAGES]
    open_steps = [one for one in known if one.done < 1]
    if not known:
        return StageProgress("concatenating", 0)
    if not open_steps:
        return StageProgress("generating_samples", 100)
    stage = STAGES[open_steps[0].step]
    return StageProgress(stage.name, int(stage.begins + (stage.ends - stage.begins) * max(open_steps[0].done, 0.0)))
