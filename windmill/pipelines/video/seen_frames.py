"""What services have seen in the pictures of a segment, as it is written down for the step that tracks it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from windmill.kernels.video.tracking import FrameBox
from windmill.pipelines.video.sampled_frames import SampledFrame


@dataclass(frozen=True)
class SeenBox:
    """A box, in pixels of the picture; `services` have seen it."""

    label: str
    score: float
    box: Sequence[float]
    services: Sequence[str]

    def scaled(self, across: float, down: float) -> FrameBox:
        left, top, width, height = self.box
        return FrameBox(self.label, self.score, (left * across, top * down, width * across, height * down))


@dataclass(frozen=True)
class SeenFrame:
    """A picture that was looked at. `asked` services were, and those among `failures` have not answered. `image_id` is
    its image, where services of the fleet have looked at it."""

    frame: int
    time: int
    cut: bool
    image_id: int | None
    width: int
    height: int
    boxes: Sequence[SeenBox]
    asked: Sequence[str]
    failures: Mapping[str, str]

    @property
    def failed(self) -> bool:
        """Whether nobody has answered."""
        return bool(self.asked) and all(service in self.failures for service in self.asked)

    def document(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def of(document: Mapping[str, Any]) -> "SeenFrame":
        return SeenFrame(**{**document, "boxes": [SeenBox(**box) for box in document["boxes"]]})


def seen_frames(answers: Mapping[str, Any], frames: Sequence[SampledFrame]) -> list[SeenFrame]:
    """What the fleet has answered, an image for each of the frames in their order."""
    return [_seen(image, frame, answers["services"]) for image, frame in zip(answers["images"], frames, strict=True)]


def _seen(image: Mapping[str, Any], frame: SampledFrame, asked: Sequence[str]) -> SeenFrame:
    boxes = [_box(box) for box in image.get("boxes", ())]
    failures = {service: str(one["code"]) for service, one in image["failures"].items()}
    size = image["width"] or 0, image["height"] or 0
    return SeenFrame(frame.frame, frame.time, frame.cut, image["image_id"], *size, boxes, asked, failures)


def _box(box: Mapping[str, Any]) -> SeenBox:
    place = box["merged_bbox"]
    sides = [place[name] for name in ("x", "y", "width", "height")]
    return SeenBox(box["label"], box["confidence"], sides, box["contributing_services"])
