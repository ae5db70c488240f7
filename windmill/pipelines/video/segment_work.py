"""A segment on its way: what is known of it when its task begins, and the piece that it becomes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from windmill.core.errors import WindmillError
from windmill.engines.engine import ProducedFile
from windmill.jobs.step import TaskResult
from windmill.kernels.video.filters import BadFilter, VideoFilters, read_filters
from windmill.media.video.encoding import Encoding, SegmentSource, place_segment
from windmill.media.video.running import VideoTools
from windmill.media.video.scanning import count_decoded, count_frames
from windmill.pipelines.video.plan_documents import EncodedSegment, PlannedSegment, PlannedVideo

HEADER, PIECE_TYPE = "init.mp4", "video/iso.segment"
ENCODED_FILE = "encoded.mp4"
_FILTERS = ("deflicker", "denoise", "scale", "sharpen", "look", "tone_map", "grain")


@dataclass(frozen=True)
class SegmentWork:
    """All that is known of a segment when its task begins."""

    video: PlannedVideo
    segment: PlannedSegment
    given: Mapping[str, Any]
    file: Path

    @property
    def source(self) -> SegmentSource:
        one = self.segment
        return SegmentSource(self.file, one.demuxer, one.frames, one.first, one.skipped, one.trimmed)

    @property
    def encoding(self) -> Encoding:
        return self.video.encoding(self.given["x264_preset"], self.given["crf"])

    @property
    def filters(self) -> VideoFilters:
        style = {"style": self.given["style"], "style_seed": self.given["seed"]} if self.given.get("style") else {}
        grain = {"grain_seed": self.given["seed"]}
        try:
            return read_filters({**{name: self.given[name] for name in _FILTERS}, **style, **grain})
        except BadFilter as error:
            raise WindmillError("USAGE", str(error)) from error


def piece_of(tools: VideoTools, work: SegmentWork, folder: Path, times: Sequence[int] | None) -> TaskResult:
    """The piece, moved to its place in the whole, of the segment that was encoded in this folder. `times` are those of
    its frames where they are known without decoding."""
    encoded = folder / ENCODED_FILE
    made = count_frames(tools, encoded, "mov")
    missing = _missing_frames(tools, work, made, times)
    first = times[0] if times else work.segment.first
    parts = place_segment(encoded, first, work.video.scale, work.segment.number)
    encoded.unlink()
    piece = folder / f"piece_{work.segment.number:05d}.m4s"
    piece.write_bytes(parts.media)
    files = [ProducedFile(piece.name, piece, PIECE_TYPE)]
    if not work.segment.number:
        (folder / HEADER).write_bytes(parts.header)
        files.append(ProducedFile(HEADER, folder / HEADER, "video/mp4"))
    header = sha256(parts.header).hexdigest()
    done = EncodedSegment(work.segment.number, made, missing, first, work.segment.end, header)
    said = [f"{missing} frames of segment {work.segment.number + 1} cannot be decoded"] if missing else []
    return TaskResult({"video": work.video.document(), "done": done.document()}, files, warnings=said)


def _missing_frames(tools: VideoTools, work: SegmentWork, made: int, known: Sequence[int] | None) -> int:
    """How many frames of the segment are not there because they cannot be decoded; raises FRAMES_LOST where that is not
    the reason."""
    expected = work.segment.frames
    if made == expected:
        return 0
    decoded = count_decoded(tools, work.file, work.segment.demuxer) - work.segment.skipped
    if made != min(decoded, expected) or not made or (known is not None and len(known) != made):
        said = f"segment {work.segment.number + 1} has {expected} frames, and {made} were encoded"
        raise WindmillError("FRAMES_LOST", said)
    return expected - made
