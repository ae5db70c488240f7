"""What the services have said of the images of a request, as a document: by image the answers or the merged boxes, and
each failure by name."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from windmill.core.errors import ERROR_CODES, Code, Retry, WindmillError
from windmill.core.jsonb import parse_object
from windmill.kernels.boxes.sent_scale import read_sent_scale, scale_reply

Size = tuple[int, int]
NO_ANSWER = "SERVICE_TIMEOUT"


@dataclass
class ImageAnswers:
    """One image: the reply of each service, in pixels of the upright image, and why others have none."""

    name: str
    image_id: int
    sha256: str
    size: Size | None = None
    replies: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, row: Any) -> None:  # noqa: ANN401 - a record of the driver
        """A row of `results`."""
        if row["status"] != "success":
            self.failures[row["service"]] = {"code": row["error_code"], "message": row["error_message"] or ""}
            return
        scale = read_sent_scale(parse_object(row["image_sent"]))
        self.size = scale.size if scale else self.size
        self.replies[row["service"]] = scale_reply(parse_object(row["data"]), scale)

    def complete(self, services: Sequence[str], seconds: float) -> None:
        """Who has said nothing at all has failed."""
        said = {"code": NO_ANSWER, "message": f"no answer within {seconds:g} s"}
        silent = [one for one in services if one not in self.replies and one not in self.failures]
        self.failures |= dict.fromkeys(silent, said)


class FailureCount:
    """How many answers there are, and which services have failed how often with which code."""

    def __init__(self) -> None:
        self.answered = 0
        self.failed: Counter[tuple[str, str]] = Counter()

    def note(self, image: ImageAnswers) -> None:
        self.answered += len(image.replies)
        self.failed.update((service, one["code"]) for service, one in image.failures.items())

    @property
    def by_service(self) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {}
        for (service, code), count in sorted(self.failed.items()):
            found.setdefault(service, {})[code] = count
        return found

    @property
    def warnings(self) -> list[str]:
        return [f"{service} failed with {n} images: {code}" for (service, code), n in sorted(self.failed.items())]

    @property
    def failure(self) -> WindmillError | None:
        """A request of which nobody has answered anything has failed, by the code that most of it has."""
        if self.answered or not self.failed:
            return None
        (_, worst), _ = self.failed.most_common(1)[0]
        code: Code = next((one for one in ERROR_CODES if one == worst), "SERVICE_ERROR")
        retry: Retry = "never" if ERROR_CODES[code].retry == "never" else "later"
        return WindmillError(code, f"no service has answered any image: {'; '.join(self.warnings)}", retry=retry)


def image_document(
    image: ImageAnswers, boxes: Sequence[Mapping[str, Any]] | None, merged: Sequence[str]
) -> dict[str, Any]:
    """One image of the document. With `boxes` these stand for the answers of the services that were merged."""
    width, height = image.size or (None, None)
    place = {"name": image.name, "image_id": image.image_id, "sha256": image.sha256, "width": width, "height": height}
    replies = {name: reply for name, reply in image.replies.items() if boxes is None or name not in merged}
    said: dict[str, Any] = {"answers": replies} if boxes is None or replies else {}
    if boxes is not None:
        said = {"boxes": list(boxes), **said}
    return {**place, **said, "failures": image.failures}


def chunks(length: int, size: int) -> Iterator[slice]:
    return (slice(first, first + size) for first in range(0, length, size))
