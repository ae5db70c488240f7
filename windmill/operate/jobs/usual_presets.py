"""Which preset does what other systems ask for without naming one. The first that is installed is taken, so one for
videos needs no more than to be there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from windmill.core.errors import WindmillError
from windmill.pipelines.presets.preset import Preset
from windmill.pipelines.presets.preset_library import PresetLibrary

Purpose = Literal["annotate", "stylize", "imagine"]
"""Boxes in a video, a file in another style, something from words alone."""


@dataclass(frozen=True)
class Usual:
    """A preset, and the input that takes the file."""

    preset: str
    file: str = ""


USUAL: Mapping[Purpose, Mapping[str, Sequence[Usual]]] = {
    "annotate": {
        "video": (Usual("annotate_video_v1", "video"),),
        "image": (Usual("annotate_image_v1", "image"), Usual("upscale_denoise_image_v1", "image")),
    },
    "stylize": {
        "video": (Usual("stylize_video_v1", "video"), Usual("restyle_video_v1", "clip")),
        "image": (Usual("stylize_image_v1", "image"), Usual("restyle_still_v1", "still")),
    },
    "imagine": {"text": (Usual("stylize_prompt_v1"), Usual("prompt_to_video_v1"))},
}
"""By purpose, and by the first half of the media type."""
PLAIN_STYLE = "default"


@dataclass(frozen=True)
class Wish:
    """What somebody says beside the file."""

    prompt: str | None = None
    style: str | None = None
    seed: int | None = None


def usual_preset(library: PresetLibrary, purpose: Purpose, media_type: str) -> tuple[Preset, str]:
    """The preset, and its input for the file; raises MEDIA_TYPE_UNSUPPORTED."""
    for usual in USUAL[purpose].get(media_type.partition("/")[0], ()):
        if usual.preset in library.found:
            return library.get(usual.preset).preset, usual.file
    raise WindmillError("MEDIA_TYPE_UNSUPPORTED", f"no preset is installed that takes {media_type}")


def wished_inputs(preset: Preset, wish: Wish) -> dict[str, object]:
    """The wish as inputs of the preset. A style that it does not know is asked for in words; what it cannot use at all
    is left out."""
    prompt, style = wish.prompt, wish.style
    if style and not _knows(preset, style):
        prompt, style = _in_words(prompt, style), None
    given = {"prompt": prompt, "style": style, "seed": wish.seed}
    return {name: value for name, value in given.items() if value is not None and name in preset.inputs}


def _knows(preset: Preset, style: str) -> bool:
    spec = preset.inputs.get("style")
    return spec is not None and (spec.type != "choice" or style in spec.choices)


def _in_words(prompt: str | None, style: str) -> str | None:
    if style == PLAIN_STYLE:
        return prompt
    return f"{prompt}, {style} style" if prompt else f"{style} style"
