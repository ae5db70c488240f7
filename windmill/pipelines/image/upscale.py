"""The step `upscale`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from windmill.kernels.pictures.upscaling import upscale
from windmill.pipelines.image.picture_files import LoadedPicture, check_size, read_picture, write_picture
from windmill.pipelines.picture_step import PictureStep, StepCall
from windmill.pipelines.values import ValueSpec


def _work(call: StepCall) -> Sequence[Path]:
    factor, loaded = call.parameters["factor"], read_picture(call.picture, call.max_pixels)
    height, width, _ = loaded.pixels.shape
    check_size(width * factor, height * factor, call.max_pixels)
    alpha = None if loaded.alpha is None else upscale(np.dstack([loaded.alpha] * 3), factor)[..., 0]
    return [write_picture(LoadedPicture(upscale(loaded.pixels, factor), alpha, loaded.profile), call.produced())]


STEP = PictureStep(
    name="upscale",
    version=1,
    description="makes a picture larger with a Lanczos filter, which adds no details",
    inputs={"picture": "image"},
    parameters={"factor": ValueSpec("integer", "how many times as long sides", default=2, minimum=1, maximum=8)},
    work=_work,
)
