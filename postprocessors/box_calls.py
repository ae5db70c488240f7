"""Values of the enrichment: boxes to send, calls, result rows and retries. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from windmill.core.errors import Code
from windmill.core.messages import Job
from windmill.core.outcomes import Stored
from windmill.kernels.boxes.crop_regions import Rectangle, locate_predictions
from windmill.media.image.crops import Crop


@dataclass(frozen=True, slots=True)
class PendingBox:
    """A merged box, and the services to send it to, each with the number of tries so far."""

    box_key: str
    merged_data: object
    tries: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class EnrichmentRow:
    """The final result of one box at one service: `data` as JSON text, or an error."""

    box_key: str
    service: str
    attempt: int
    data: str | None = None
    processing_time: float | None = None
    error_code: Code | None = None
    error_message: str | None = None


@dataclass(frozen=True, slots=True)
class EnrichmentRetry:
    """A failed try, to be retried in `delay` seconds."""

    box_key: str
    service: str
    attempt: int
    delay: float
    error_code: Code
    error_message: str


@dataclass(slots=True)
class EnrichmentResult:
    """The results of an image's boxes. `unavailable` maps services that are down to the seconds until they may be
    called; no try is counted for their boxes."""

    rows: list[EnrichmentRow] = field(default_factory=list)
    retries: list[EnrichmentRetry] = field(default_factory=list)
    unavailable: dict[str, float] = field(default_factory=dict)

    @property
    def wait(self) -> float | None:
        """Seconds until the image is due again; None when it is done."""
        return min([*self.unavailable.values(), *(one.delay for one in self.retries)], default=None)


@dataclass(frozen=True, slots=True)
class BoxCall:
    """One box for one service, as the handler takes it: a crop without a URL."""

    image_id: int
    box_key: str
    service: str
    attempt: int
    crop: Crop | None = None
    image_url: None = None


def box_calls(job: Job, boxes: Sequence[PendingBox], crop: Crop | None = None) -> list[BoxCall]:
    """A call for each box and each of its services."""
    return [
        BoxCall(job.image_id, box.box_key, service, tries + 1, crop)
        for box in boxes
        for service, tries in box.tries.items()
    ]


def result_row(box_call: BoxCall, stored: Stored) -> EnrichmentRow:
    """The reply, with positions in the image instead of the crop."""
    assert box_call.crop
    try:
        data = _locate_in_image(stored, box_call.crop.place)
    except orjson.JSONEncodeError as error:
        return failed_row(box_call, "BAD_RESPONSE", f"the reply cannot be encoded again: {error}")
    return EnrichmentRow(box_call.box_key, box_call.service, box_call.attempt, data, stored.processing_time)


def _locate_in_image(stored: Stored, place: Rectangle) -> str:
    return orjson.dumps(locate_predictions(orjson.loads(stored.data)["predictions"], place)).decode()


def failed_row(box_call: BoxCall, code: Code, message: str) -> EnrichmentRow:
    return EnrichmentRow(box_call.box_key, box_call.service, box_call.attempt, error_code=code, error_message=message)
