"""What an engine has made of a segment: filters as data, pictures in a folder, or a clip. Pictures lie in files only
here, in the scratch folder of the attempt, as the contract of such engines is a folder."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from windmill.core.errors import WindmillError
from windmill.engines.engine import EngineOutput, ProducedFile
from windmill.engines.outputs import bad_output
from windmill.kernels.video.filters import BadFilter, VideoFilters, read_filters
from windmill.kernels.video.frame_times import shown_at
from windmill.media.video.frame_pipe import FrameShape, VideoFrame, even
from windmill.pipelines.image.picture_files import read_picture

FILTERS_FILE = "filters.json"


@dataclass(frozen=True)
class EngineFrames:
    """One of: filters to add, pictures, a clip."""

    filters: Mapping[str, object] | None = None
    pictures: Sequence[Path] = ()
    clip: Path | None = None


def frames_of(output: EngineOutput) -> EngineFrames:
    """Raises BAD_RESPONSE if it is none of them."""
    files = output.files
    if len(files) == 1 and files[0].name == FILTERS_FILE:
        return EngineFrames(filters=_document(files[0]))
    if all(file.media_type.startswith("image/") for file in files):
        return EngineFrames(pictures=[file.path for file in files])
    if len(files) == 1 and files[0].media_type.startswith("video/"):
        return EngineFrames(clip=files[0].path)
    raise bad_output("it made neither pictures of the frames, nor one clip, nor filters.json")


def _document(file: ProducedFile) -> Mapping[str, object]:
    try:
        document = json.loads(file.path.read_bytes())
    except ValueError as error:
        raise bad_output(f"{FILTERS_FILE} is not JSON") from error
    if not isinstance(document, dict):
        raise bad_output(f"{FILTERS_FILE} is no object")
    return document


def with_filters(filters: VideoFilters, document: Mapping[str, object]) -> VideoFilters:
    """The filters of the step with those of the engine."""
    try:
        read_filters(document)
        return replace(filters, **document)  # type: ignore[arg-type]  # just checked
    except BadFilter as error:
        raise bad_output(str(error)) from error


def picture_shape(path: Path, max_pixels: int) -> FrameShape:
    height, width, _ = read_picture(path, max_pixels).pixels.shape
    return FrameShape(*even(width, height), "bgr24")


def picture_frames(
    pictures: Sequence[Path], times: Sequence[int], seen: Sequence[int], shape: FrameShape, max_pixels: int
) -> Iterator[VideoFrame]:
    """A frame for each time: the picture of the last time that the engine has seen."""
    if len(pictures) != len(seen):
        raise WindmillError("BAD_RESPONSE", f"the engine was given {len(seen)} frames and made {len(pictures)}")
    place, pixels = -1, bytearray()
    for number, (time, wanted) in enumerate(zip(times, shown_at(times, seen), strict=True)):
        if wanted != place:
            place, pixels = wanted, _pixels(pictures[wanted], shape, max_pixels)
        yield VideoFrame(number, time, pixels)


def _pixels(path: Path, shape: FrameShape, max_pixels: int) -> bytearray:
    picture = read_picture(path, max_pixels).pixels
    height, width, _ = picture.shape
    if even(width, height) != (shape.width, shape.height):
        raise WindmillError("BAD_RESPONSE", f"{path.name} is {width} x {height}, unlike the picture before")
    padded = np.pad(picture, ((0, shape.height - height), (0, shape.width - width), (0, 0)), mode="edge")
    return bytearray(np.ascontiguousarray(padded[..., ::-1]).tobytes())
