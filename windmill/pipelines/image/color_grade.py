"""The step `color_grade`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from windmill.kernels.pictures.color_grading import LOOKS, color_grade
from windmill.pipelines.image.picture_files import changed_picture
from windmill.pipelines.picture_step import PictureStep, StepCall
from windmill.pipelines.values import ValueSpec

_FACTORS = ("red", "green", "blue", "contrast", "saturation")


def _work(call: StepCall) -> Sequence[Path]:
    given = call.parameters
    grade = replace(LOOKS[given["look"]], **{name: given[name] for name in _FACTORS if name in given})
    return changed_picture(call, lambda pixels: color_grade(pixels, grade, given["strength"]))


STEP = PictureStep(
    name="color_grade",
    version=1,
    description="changes colours by a named look; single factors override those of the look",
    inputs={"picture": "image"},
    parameters={
        "look": ValueSpec("choice", "a named look", default="cinematic", choices=tuple(LOOKS)),
        "strength": ValueSpec("number", "share of the graded picture", default=1.0, minimum=0, maximum=1),
        **{name: ValueSpec("number", f"factor of {name}", minimum=0, maximum=3) for name in _FACTORS},
    },
    work=_work,
)
