"""PP-OCRv6 small, as RapidOCR packs it: one network finds lines of text, another reads each of them."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dev.farm.pictures import Pixels
from dev.farm.truth import PixelBox
from dev.models.geometry import Numbers, resized
from dev.models.networks import Floats, Network
from dev.models.text_lines import Corners, bounds, lines_in, straightened

_LONGEST_SIDE, _SHORTEST_SIDE = 960, 480
_MULTIPLE = 32
_LINE_HEIGHT, _WIDEST_LINE = 48, 2400
_BATCH = 6
_LEAST = 0.75

Region = tuple[str, float, PixelBox]


class RapidOcr:
    """Loaded, and ready for pictures."""

    def __init__(self, weights: Path) -> None:
        self._finder = Network(weights / "PP-OCRv6_det_small.onnx")
        self._reader = Network(weights / "PP-OCRv6_rec_small.onnx")
        # The place of no letter is the first one, and a blank comes last.
        self._letters = ["", *self._reader.note("character").splitlines(), " "]

    def read(self, rgb: Pixels) -> list[Region]:
        """The lines of text from top to bottom: words, confidence and box."""
        lines = self._lines(rgb)
        read = self._read([straightened(rgb, line) for line in lines])
        return [
            (text, sureness, bounds(line))
            for line, (text, sureness) in zip(lines, read, strict=True)
            if sureness >= _LEAST and any(letter.isalnum() for letter in text)
        ]

    def _lines(self, rgb: Pixels) -> list[Corners]:
        height, width = rgb.shape[:2]
        shown = resized(rgb, size_for_finding(width, height))
        heat = self._finder.run(_normalised(shown[..., ::-1])[None])[0][0, 0]
        return lines_in(heat, width, height)

    def _read(self, lines: Sequence[Pixels]) -> list[tuple[str, float]]:
        """What each line says. Lines of like length are read together, as a batch is as wide as its longest."""
        order = sorted(range(len(lines)), key=lambda n: lines[n].shape[1] / lines[n].shape[0])
        said: dict[int, tuple[str, float]] = {}
        for at in range(0, len(order), _BATCH):
            places = order[at : at + _BATCH]
            scores = self._reader.run(batch_of([lines[n] for n in places]))[0]
            said |= {n: spelled(one, self._letters) for n, one in zip(places, scores, strict=True)}
        return [said[n] for n in range(len(lines))]


def size_for_finding(width: int, height: int) -> tuple[int, int]:
    """Large enough for small letters and small enough to be quick; both sides are multiples of 32."""
    scale = min(1.0, _LONGEST_SIDE / max(width, height))
    if min(width, height) * scale < _SHORTEST_SIDE:
        scale = min(_SHORTEST_SIDE / min(width, height), _LONGEST_SIDE / max(width, height))
    across, down = (max(1, round(side * scale / _MULTIPLE)) * _MULTIPLE for side in (width, height))
    return across, down


def batch_of(lines: Sequence[Pixels]) -> Floats:
    """Lines of one height, filled up to one width."""
    widths = [min(_WIDEST_LINE, max(1, math.ceil(_LINE_HEIGHT * line.shape[1] / line.shape[0]))) for line in lines]
    batch = np.zeros((len(lines), 3, _LINE_HEIGHT, max(320, *widths)), np.float32)
    for one, line, width in zip(batch, lines, widths, strict=True):
        one[..., :width] = _normalised(resized(line, (width, _LINE_HEIGHT))[..., ::-1])
    return batch


def spelled(scores: Numbers, letters: Sequence[str]) -> tuple[str, float]:
    """The text and its mean confidence. Each place names a letter or none, and one letter may fill several places."""
    best = scores.argmax(1)
    starts = (best != 0) & (best != np.concatenate([[-1], best[:-1]]))
    text = "".join(letters[n] for n in best[starts])
    return text, float(scores.max(1)[starts].mean()) if text else 0.0


def _normalised(bgr: Numbers) -> Numbers:
    result: Numbers = (bgr.transpose(2, 0, 1) / np.float32(127.5) - np.float32(1)).astype(np.float32)
    return result
