"""The step `load_pictures`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from windmill.kernels.pictures.upscaling import fit_within
from windmill.pipelines.image.picture_files import LoadedPicture, read_picture, write_picture
from windmill.pipelines.picture_step import PictureStep, StepCall
from windmill.pipelines.values import ValueSpec


def _work(call: StepCall) -> Sequence[Path]:
    side = call.parameters["max_side"]
    return [
        write_picture(_bounded(read_picture(path, call.max_pixels), side), call.produced(f"picture-{number}.png"))
        for number, path in enumerate(call.inputs["pictures"], 1)
    ]


def _bounded(loaded: LoadedPicture, side: int) -> LoadedPicture:
    """Without transparency, which reference pictures have no use for."""
    height, width, _ = loaded.pixels.shape
    pixels = loaded.pixels if max(height, width) <= side else fit_within(loaded.pixels, side, side)
    return replace(loaded, pixels=pixels, alpha=None)


STEP = PictureStep(
    name="load_pictures",
    version=1,
    description="checks that given files are pictures, and makes upright PNG files of a bounded size of them",
    inputs={"pictures": "images"},
    parameters={"max_side": ValueSpec("integer", "pixels", default=1_536, minimum=16, maximum=16_384)},
    work=_work,
    produces="images",
)
