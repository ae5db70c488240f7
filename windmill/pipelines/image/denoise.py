"""The step `denoise`."""

from collections.abc import Sequence
from pathlib import Path

from windmill.kernels.pictures.denoising import denoise
from windmill.pipelines.image.picture_files import changed_picture
from windmill.pipelines.picture_step import PictureStep, StepCall
from windmill.pipelines.values import ValueSpec


def _work(call: StepCall) -> Sequence[Path]:
    given = call.parameters
    return changed_picture(call, lambda pixels: denoise(pixels, given["strength"], given["reach"]))


STEP = PictureStep(
    name="denoise",
    version=1,
    description="removes noise by non-local means and keeps edges",
    inputs={"picture": "image"},
    parameters={
        "strength": ValueSpec("number", "how noisy the picture is", default=0.15, minimum=0, maximum=1),
        "reach": ValueSpec("integer", "how far it looks for like pixels", default=3, minimum=1, maximum=10),
    },
    work=_work,
)
