"""The step `tone_map`."""

from collections.abc import Sequence
from pathlib import Path

from windmill.kernels.pictures.tone_mapping import tone_map
from windmill.pipelines.image.picture_files import changed_picture
from windmill.pipelines.picture_step import PictureStep, StepCall
from windmill.pipelines.values import ValueSpec


def _work(call: StepCall) -> Sequence[Path]:
    given = call.parameters
    return changed_picture(call, lambda pixels: tone_map(pixels, given["key"], given["strength"]))


STEP = PictureStep(
    name="tone_map",
    version=1,
    description="maps brightness by Reinhard's operator",
    inputs={"picture": "image"},
    parameters={
        "key": ValueSpec("number", "brightness of the middle of the picture", default=0.18, minimum=0.01, maximum=1),
        "strength": ValueSpec("number", "share of the mapped picture", default=1.0, minimum=0, maximum=1),
    },
    work=_work,
)
