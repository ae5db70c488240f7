"""What is known of one image, as plain values: read from rows, which people may have written by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from windmill.core.errors import ERROR_CODES
from windmill.core.messages import Job


@dataclass(frozen=True)
class ImageRecord:
    """The row of `images`, with the best that is known of its size. `copy_of` is the image whose answers it shares."""

    image_id: int
    copy_of: int | None
    image_filename: str
    image_path: str | None
    image_url: str | None
    image_group: str | None
    width: int | None
    height: int | None
    image_created: datetime

    @property
    def answering_id(self) -> int:
        """The image whose answers these are."""
        return self.copy_of or self.image_id

    @property
    def location(self) -> str:
        """Safe to display: a URL loses its password and signature."""
        path, url = self.image_path, self.image_url
        return Job(self.image_id, self.image_filename, path, url, self.image_created).location


@dataclass(frozen=True)
class Failure:
    """Why a service has no answer, and what to do about it; `final` is false while it is tried again."""

    code: str
    message: str
    remedy: str
    final: bool = True


@dataclass(frozen=True)
class ServiceAnswer:
    """What came of one service for the whole image."""

    service: str
    attempt: int
    seconds: float | None
    failure: Failure | None


@dataclass(frozen=True)
class BoxAnswer:
    """What came of one service for the crop of a box: the labels or texts of its predictions, or a failure."""

    service: str
    said: tuple[str, ...]
    failure: Failure | None


@dataclass(frozen=True)
class ShownBox:
    """A merged box, where it is in pixels, and who contributed to it."""

    label: str
    emoji: str
    confidence: float | None
    place: tuple[float, float, float, float] | None
    services: tuple[str, ...]
    silent: tuple[str, ...]
    answers: tuple[BoxAnswer, ...]


@dataclass(frozen=True)
class ShownVote:
    """An emoji, how likely it is, and the sentence that says why."""

    emoji: str
    probability: float | None
    sentence: str


@dataclass(frozen=True)
class ImageFindings:
    """What follows from the answers about an image. `votes` is None while there was no vote; `special` has what was
    found apart from the vote, and `open_stages` what is yet to be recomputed."""

    votes: tuple[ShownVote, ...] | None
    runners_up: tuple[ShownVote, ...]
    special: Mapping[str, float | None]
    calibration: str | None
    boxes: tuple[ShownBox, ...]
    open_stages: tuple[str, ...]


@dataclass(frozen=True)
class ImageReport:
    """All of it."""

    image: ImageRecord
    votes: tuple[ShownVote, ...] | None
    runners_up: tuple[ShownVote, ...]
    special: Mapping[str, float | None]
    calibration: str | None
    boxes: tuple[ShownBox, ...]
    answers: tuple[ServiceAnswer, ...]
    awaited: tuple[str, ...]
    open_stages: tuple[str, ...]


def failure_of(code: str | None, message: str | None, *, final: bool = True) -> Failure | None:
    """The failure with the remedy of its code; None for a success."""
    if code is None:
        return None
    remedy = next((spec.remedy for name, spec in ERROR_CODES.items() if name == code), "")
    return Failure(code, message or "", remedy, final)


def votes_of(document: Mapping[str, Any], kind: str) -> tuple[ShownVote, ...]:
    """The votes of `consensus_data` in a list: `consensus` or `runners_up`."""
    return tuple(map(_vote, _dicts(_dict(document.get("votes")).get(kind))))


def _vote(item: Mapping[str, Any]) -> ShownVote:
    sentence = _text(_dict(item.get("why")).get("sentence"))
    return ShownVote(_text(item.get("emoji")), _number(item.get("probability")), sentence)


def special_of(document: Mapping[str, Any]) -> dict[str, float | None]:
    """What specialists found, with their confidence."""
    found = {name: _dict(one) for name, one in _dict(document.get("special")).items()}
    return {name: _number(one.get("confidence")) for name, one in found.items() if one.get("detected") is True}


def box_of(data: Mapping[str, Any], answers: Sequence[BoxAnswer]) -> ShownBox:
    """A merged box from its `merged_data`."""
    edges = [_number(_dict(data.get("merged_bbox")).get(name)) for name in ("x", "y", "width", "height")]
    x, y, width, height = edges
    known = x is not None and y is not None and width is not None and height is not None
    return ShownBox(
        label=_text(data.get("label")),
        emoji=_text(data.get("emoji")),
        confidence=_number(data.get("confidence")),
        place=(x or 0, y or 0, width or 0, height or 0) if known else None,
        services=_texts(data.get("contributing_services")),
        silent=_texts(data.get("silent_services")),
        answers=tuple(answers),
    )


def said_of(data: Mapping[str, Any]) -> tuple[str, ...]:
    """The words of the predictions of a service: whatever names what it saw."""
    named = (
        next((one[key] for key in ("label", "text", "color", "name", "emoji") if isinstance(one.get(key), str)), "")
        for one in _dicts(data.get("predictions"))
    )
    return tuple(filter(None, named))


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    """Names, or objects that have one under `service`."""
    given = value if isinstance(value, list) else []
    names = [_text(one.get("service")) if isinstance(one, dict) else _text(one) for one in given]
    return tuple(filter(None, names))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
