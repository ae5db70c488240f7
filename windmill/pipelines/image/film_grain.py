"""The step `film_grain`."""

from collections.abc import Sequence
from pathlib import Path

from windmill.kernels.pictures.film_grain import film_grain
from windmill.pipelines.image.picture_files import changed_picture
from windmill.pipelines.picture_step import PictureStep, StepCall
from windmill.pipelines.values import ValueSpec


def _work(call: StepCall) -> Sequence[Path]:
    given = call.parameters
    return changed_picture(call, lambda pixels: film_grain(pixels, given["strength"], given["size"], given["seed"]))


STEP = PictureStep(
    name="film_grain",
    version=1,
    description="adds the grain of film, strongest in the mid-tones",
    inputs={"picture": "image"},
    parameters={
        "strength": ValueSpec("number", "how strong", default=0.3, minimum=0, maximum=1),
        "size": ValueSpec("number", "diameter of a grain in pixels", default=1.5, minimum=1, maximum=8),
        "seed": ValueSpec("seed", "the same seed gives the same grain", default=0),
    },
    work=_work,
)
