"""The step `sharpen`."""

from collections.abc import Sequence
from pathlib import Path

from windmill.kernels.pictures.sharpening import sharpen
from windmill.pipelines.image.picture_files import changed_picture
from windmill.pipelines.picture_step import PictureStep, StepCall
from windmill.pipelines.values import ValueSpec


def _work(call: StepCall) -> Sequence[Path]:
    given = call.parameters
    return changed_picture(call, lambda pixels: sharpen(pixels, given["amount"], given["radius"], given["threshold"]))


STEP = PictureStep(
    name="sharpen",
    version=1,
    description="sharpens details by an unsharp mask",
    inputs={"picture": "image"},
    parameters={
        "amount": ValueSpec("number", "how much of the details is added", default=0.6, minimum=0, maximum=5),
        "radius": ValueSpec("number", "size of details in pixels", default=1.5, minimum=0.3, maximum=20),
        "threshold": ValueSpec("number", "weaker details are taken for noise", default=0.01, minimum=0, maximum=1),
    },
    work=_work,
)
