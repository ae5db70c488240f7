"""Names of things as they stand in a video: letters on a bar in the colour of the box. Each is drawn once, and then
copied into every frame."""

from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from windmill.kernels.video.frame_canvas import Rgb, Sprite, is_light, sprite_of, track_color

_DARK, _WHITE = (16, 16, 16), (255, 255, 255)
_LEAST_LETTERS = 11


@dataclass
class LabelSprites:
    """Mutable: it keeps what it has drawn."""

    frame_height: int
    _bars: dict[tuple[int, str], Sprite] = field(default_factory=dict)
    _colors: dict[int, Sprite] = field(default_factory=dict)

    @property
    def stroke(self) -> int:
        """How thick lines are."""
        return 2 * max(1, round(self.frame_height / 540))

    def color(self, number: int) -> Sprite:
        """A sprite of one colour."""
        if number not in self._colors:
            self._colors[number] = sprite_of(np.full((2, 2, 3), track_color(number), np.uint8), self.frame_height)
        return self._colors[number]

    def bar(self, number: int, text: str) -> Sprite:
        if (number, text) not in self._bars:
            letters = max(_LEAST_LETTERS, round(self.frame_height / 38))
            self._bars[number, text] = sprite_of(_drawn(text, track_color(number), letters), self.frame_height)
        return self._bars[number, text]


def _drawn(text: str, color: Rgb, letters: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    font, room = ImageFont.load_default(letters), max(2, letters // 3)
    left, _, right, _ = font.getbbox(text)
    width, height = round(right - left) + 2 * room, letters + 2 * (room // 2) + 2
    bar = Image.new("RGB", (width + width % 2, height + height % 2), color)
    ink = _DARK if is_light(color) else _WHITE
    ImageDraw.Draw(bar).text((bar.width / 2, bar.height / 2), text, ink, font, anchor="mm")
    return np.asarray(bar)
