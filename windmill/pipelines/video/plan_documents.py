"""What the plan of a video says, as it is written down for the tasks that follow."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from windmill.media.video.encoding import Encoding


@dataclass(frozen=True)
class PlannedVideo:
    """A video that is made: `scale` is ticks a second, `rate` and `origin` are fractions, `audio` the codec of the
    sound in the source, if it has any. `longest` segment, in ticks."""

    width: int
    height: int
    frames: int
    ticks: int
    scale: int
    rate: str
    steady: bool
    origin: str
    codec: str
    audio: str
    segments: int
    longest: int

    @property
    def seconds(self) -> float:
        return self.ticks / self.scale

    def encoding(self, preset: str, crf: float) -> Encoding:
        return Encoding(self.scale, Fraction(self.rate), self.steady, preset, crf)

    def document(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class PlannedSegment:
    """A segment: its file, and its frames, which are shown from `first` to `end` (in ticks)."""

    number: int
    file: str
    demuxer: str
    frames: int
    first: int
    end: int
    skipped: int
    trimmed: bool

    def document(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class EncodedSegment:
    """What became of a segment. `missing` frames of the source could not be decoded."""

    number: int
    frames: int
    missing: int
    first: int
    end: int
    header: str

    def document(self) -> dict[str, Any]:
        return asdict(self)


def video_of(document: Mapping[str, Any]) -> PlannedVideo:
    return PlannedVideo(**document["video"])
