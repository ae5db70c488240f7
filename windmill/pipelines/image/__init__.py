"""The steps on pictures, each a file; `PICTURE_STEPS` knows them all by name."""

from collections.abc import Mapping

from windmill.pipelines.image import (
    color_grade,
    contact_sheet,
    denoise,
    film_grain,
    load_pictures,
    sharpen,
    tone_map,
    upscale,
)
from windmill.pipelines.picture_step import PictureStep

PICTURE_STEPS: Mapping[str, PictureStep] = {
    module.STEP.name: module.STEP
    for module in (color_grade, contact_sheet, denoise, film_grain, load_pictures, sharpen, tone_map, upscale)
}
