"""Scenes that move: where each thing is at a time, and clips of them. A strip of black and white cells at the top of
each frame says which scene it is and when, so the truth survives every encoder and the stand-ins can answer from it."""

import math
import random
import subprocess
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dev.farm.coco import KINDS
from dev.farm.drawing import draw_each
from dev.farm.pictures import Pixels
from dev.farm.truth import PixelBox, Scene, Thing

_SYNC = (1, 0, 1, 1, 0, 0, 1, 0)
_CELLS = 48
_BLACK, _WHITE = 80, 176
_STRIP_SHARE = 30
_CAST = ("person", "car", "dog", "person", "bus", "bicycle")
_TOP = 0.08


@dataclass(frozen=True)
class Actor:
    """A thing that goes to and fro while it is there. Places and sides are shares of the picture's height and width."""

    name: str
    label: str
    begins: float
    ends: float
    side: float
    lane: float
    phase: float
    speed: float
    sway: float

    def box_at(self, seconds: float, width: int, height: int) -> PixelBox:
        aspect = KINDS[self.label].aspect
        down = max(8, round(self.side * height / math.sqrt(aspect)))
        across = max(8, round(self.side * height * math.sqrt(aspect)))
        turn = (self.phase + self.speed * seconds) % 2.0
        left = (turn if turn < 1 else 2 - turn) * (width - across)
        top = (self.lane + self.sway * math.sin(1.7 * seconds + self.phase)) * (height - down)
        return round(left), round(min(max(top, _TOP * height), height - down)), across, down


def cast_of(seed: int, seconds: float) -> list[Actor]:
    """Who appears in a clip that is so long; some come later, some leave earlier."""
    dice = random.Random(f"moving|{seed}")
    actors = []
    for number, label in enumerate(_CAST):
        begins = 0.0 if number < 3 else round(dice.uniform(0.1, 0.4) * seconds, 1)
        ends = seconds + 1 if number % 3 else round(dice.uniform(0.7, 0.9) * seconds, 1)
        lane = 0.15 + 0.7 * number / (len(_CAST) - 1)
        motion = (dice.uniform(0, 2), dice.uniform(0.08, 0.25), dice.uniform(0.0, 0.03))
        side = dice.uniform(0.16, 0.24)
        actors.append(Actor(f"{label} {number}", label, begins, ends, side, lane, *motion))
    return actors


def moving_scene(seed: int, seconds: float, size: tuple[int, int], length: float) -> tuple[Scene, list[str]]:
    """What is to be seen at a time of a clip of this length, and who is who."""
    width, height = size
    there = [one for one in cast_of(seed, length) if one.begins <= seconds < one.ends]
    things = tuple(Thing(one.label, one.box_at(seconds, width, height)) for one in there)
    moment = round(100 * seconds)
    look = ("street", things, (), ("#9ec5e8", "#6f8f5f", "#c8b48a"), "a street")
    return Scene(seed, moment, width, height, *look), [one.name for one in there]


def draw_moment(seed: int, seconds: float, size: tuple[int, int], length: float) -> Pixels:
    """The picture of that, with its strip."""
    scene, names = moving_scene(seed, seconds, size, length)
    pixels = draw_each(scene, names)
    width, height = size
    edges = np.linspace(0, width, _CELLS + 1).astype(int)
    for bit, left, right in zip(_bits(seed, scene.index, round(length)), edges, edges[1:], strict=False):
        pixels[: height // _STRIP_SHARE, left:right] = 255 * bit
    return pixels


def read_moment(pixels: Pixels) -> Scene | None:
    """The truth of a frame of such a clip; None for any other picture."""
    height, width = pixels.shape[:2]
    if width < 2 * _CELLS or height < 2 * _STRIP_SHARE:
        return None
    places = ((np.arange(_CELLS) + 0.5) * width / _CELLS).astype(int)
    cells = pixels[height // _STRIP_SHARE // 2, places].mean(axis=1)
    if ((cells > _BLACK) & (cells < _WHITE)).any():
        return None
    bits = [int(cell >= _WHITE) for cell in cells]
    seed, moment, length = (_number(bits[first : first + many]) for first, many in ((8, 8), (16, 16), (32, 8)))
    if bits != _bits(seed, moment, length):
        return None
    return moving_scene(seed, moment / 100, (width, height), float(length))[0]


def _bits(seed: int, moment: int, length: int) -> list[int]:
    """A known beginning, the seed, hundredths of a second, the length in seconds, and a checksum."""
    told = bytes([seed % 256, *divmod(moment % 65_536, 256), length % 256])
    check = zlib.crc32(told) & 0xFF
    return [*_SYNC, *((byte >> place) & 1 for byte in (*told, check) for place in range(7, -1, -1))]


def _number(bits: Sequence[int]) -> int:
    return int("".join(map(str, bits)), 2)


def write_clip(ffmpeg: str, path: Path, seed: int, length: int, size: tuple[int, int], rate: int = 25) -> Path:
    """A clip of whole seconds, with a tone."""
    command = [
        *(ffmpeg, "-v", "error", "-nostdin", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"),
        *("-s", f"{size[0]}x{size[1]}", "-r", str(rate), "-i", "pipe:0"),
        *(
            "-f",
            "lavfi",
            "-i",
            f"sine=f=330:r=44100:d={length}",
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-crf",
            "18",
        ),
        *("-g", str(2 * rate), "-pix_fmt", "yuv420p", "-c:a", "aac", "-shortest", str(path)),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin
        for frame in _frames(seed, length, size, rate):
            process.stdin.write(frame)
        process.stdin.close()
        if process.wait():
            raise OSError(f"ffmpeg ended with status {process.returncode}")
    return path


def _frames(seed: int, length: int, size: tuple[int, int], rate: int) -> Iterator[bytes]:
    for number in range(length * rate):
        yield draw_moment(seed, number / rate, size, float(length)).tobytes()
