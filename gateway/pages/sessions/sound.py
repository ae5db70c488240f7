"""The sound of a talk as it is drawn: how loud it is, where it is missing, and when who speaks. Pure."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.pages.sessions.voices import VoiceView
from gateway.pages.words import playtime
from windmill.operate.sessions.talk_page import OwnTurn, SessionSound

WIDTH, HALF = 1_000, 36
_LANE = 12
_STEPS = 500
_MARKS = 5


@dataclass(frozen=True)
class GapView:
    """Where nothing was recorded: in seconds, and where that is drawn."""

    begins: float
    ends: float
    x: int
    width: int


@dataclass(frozen=True)
class LaneView:
    """When a voice speaks."""

    voice: VoiceView
    turns: int
    seconds: float
    path: str


@dataclass(frozen=True)
class SoundView:
    """Paths of SVG in a drawing that is 1,000 wide; `wave` is empty where nobody has measured how loud it is."""

    seconds: float
    wave: str
    gaps: tuple[GapView, ...]
    lanes: tuple[LaneView, ...]
    axis: tuple[str, ...]
    loudness: float | None = None

    @property
    def missing_seconds(self) -> float:
        return sum(gap.ends - gap.begins for gap in self.gaps)


def sound_view(sound: SessionSound, voices: Mapping[uuid.UUID, VoiceView], told_seconds: float | None) -> SoundView:
    seconds = float(sound.told.get("duration") or told_seconds or 0)
    whole = max(seconds, 0.001)
    lanes = [
        _lane(voice, [turn for turn in sound.turns if turn.speaker_id == key], whole) for key, voice in voices.items()
    ]
    return SoundView(
        seconds=seconds,
        wave=wave_path(sound.told.get("outline") or ()),
        gaps=tuple(_gap(begins, ends, whole) for begins, ends in gaps_of(sound)),
        lanes=tuple(lanes) if sound.turns else (),
        axis=tuple(playtime(seconds * place / (_MARKS - 1)) for place in range(_MARKS)),
        loudness=sound.told.get("loudness"),
    )


def gaps_of(sound: SessionSound) -> list[tuple[float, float]]:
    return [(float(begins), float(ends)) for begins, ends in sound.told.get("gaps") or ()]


def wave_path(outline: Sequence[float]) -> str:
    """The outline as a shape that is as high as it is loud, the loudest point at the edges."""
    most = max(outline, default=0.0)
    if most <= 0:
        return ""
    points = [
        (round((place + 0.5) * WIDTH / len(outline)), round(peak / most * HALF)) for place, peak in enumerate(outline)
    ]
    above = "".join(f"L{x} {HALF - high}" for x, high in points)
    below = "".join(f"L{x} {HALF + high}" for x, high in reversed(points))
    return f"M0 {HALF}{above}L{WIDTH} {HALF}{below}Z"


def _gap(begins: float, ends: float, whole: float) -> GapView:
    x = round(begins / whole * WIDTH)
    return GapView(begins, ends, x, max(round(ends / whole * WIDTH) - x, 2))


def _lane(voice: VoiceView, turns: Sequence[OwnTurn], whole: float) -> LaneView:
    drawn = _drawn((turn.t0 / whole * WIDTH, turn.t1 / whole * WIDTH) for turn in turns)
    path = "".join(f"M{x} 0h{width}v{_LANE}h-{width}z" for x, width in drawn)
    return LaneView(voice, len(turns), sum(turn.t1 - turn.t0 for turn in turns), path)


def _drawn(spans: Iterable[tuple[float, float]]) -> list[tuple[int, int]]:
    """Where each begins, and how wide it is; those that touch are one, so a long talk is no longer to draw."""
    found: list[tuple[int, int]] = []
    step = WIDTH // _STEPS
    for begins, ends in sorted(spans):
        x = int(begins / step) * step
        end = max(round(ends / step) * step, x + step)
        if found and x <= found[-1][0] + found[-1][1]:
            start, width = found[-1]
            found[-1] = (start, max(end - start, width))
        else:
            found.append((x, end - x))
    return found
