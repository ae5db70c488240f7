"""Boxes to send to services, and the outcomes: values, and decisions made from them alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from windmill.core.errors import Code
from windmill.core.messages import Job
from windmill.core.outcomes import Stored
from windmill.kernels.boxes.regions import Rectangle, located
from windmill.media.image.crops import Crop


@dataclass(frozen=True, slots=True)
class BoxToShow:
    """A merged box, and the services that are to see it, each with the number of tries there were."""

    box_key: str
    merged_data: object
    tries: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one box at one service in the end: `data` is JSON text, or else there is an error."""

    box_key: str
    service: str
    attempt: int
    data: str | None = None
    processing_time: float | None = None
    error_code: Code | None = None
    error_message: str | None = None


@dataclass(frozen=True, slots=True)
class Later:
    """A try that failed, and that another one in `delay` seconds may make good."""

    box_key: str
    service: str
    attempt: int
    delay: float
    error_code: Code
    error_message: str


@dataclass(slots=True)
class Enriched:
    """What came of an image's boxes. `away` are services that could not be asked about all that they are to see, no
    try being counted, and in how many seconds they may be."""

    rows: list[Row] = field(default_factory=list)
    later: list[Later] = field(default_factory=list)
    away: dict[str, float] = field(default_factory=dict)

    @property
    def wait(self) -> float | None:
        """In how many seconds to come back to the image; None when all is done."""
        return min([*self.away.values(), *(one.delay for one in self.later)], default=None)


@dataclass(frozen=True, slots=True)
class Showing:
    """One box at one service, as the handler sees it: a picture without a URL."""

    image_id: int
    box_key: str
    service: str
    attempt: int
    crop: Crop | None = None
    image_url: None = None


def showings(job: Job, boxes: Sequence[BoxToShow], crop: Crop | None = None) -> list[Showing]:
    """Each of the boxes at each of its services."""
    return [
        Showing(job.image_id, box.box_key, service, tries + 1, crop)
        for box in boxes
        for service, tries in box.tries.items()
    ]


def row(showing: Showing, stored: Stored) -> Row:
    """The reply, with places in the image instead of in the crop."""
    assert showing.crop
    try:
        data = _located(stored, showing.crop.place)
    except orjson.JSONEncodeError as error:
        return failed_row(showing, "BAD_RESPONSE", f"the reply cannot be written again: {error}")
    return Row(showing.box_key, showing.service, showing.attempt, data, stored.processing_time)


def _located(stored: Stored, place: Rectangle) -> str:
    return orjson.dumps(located(orjson.loads(stored.data)["predictions"], place)).decode()


def failed_row(showing: Showing, code: Code, message: str) -> Row:
    return Row(showing.box_key, showing.service, showing.attempt, error_code=code, error_message=message)
