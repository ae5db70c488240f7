"""What the file of an image tells of itself, as the metadata service answers: camera, time, size, perceptual hash."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from windmill.kernels.text.folding import fold

MOST_CAMERA = 100
_HASH = re.compile(r"[0-9a-fA-F]{16}")
_TIME = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d)")
_ZONE = re.compile(r"[+-]\d\d:\d\d")
_TAKEN = ("DateTimeOriginal", "CreateDate", "DateTimeDigitized")


@dataclass(frozen=True)
class CameraFacts:
    """All that is told; None is unknown."""

    taken: datetime | None = None
    camera: str | None = None
    phash: int | None = None
    size: tuple[int, int] | None = None


def camera_facts(predictions: Iterable[Mapping[str, Any]]) -> CameraFacts:
    """The facts of the first prediction that looks like metadata."""
    for one in predictions:
        if any(key in one for key in ("exif_data", "dimensions", "phash")):
            exif = _exif(one.get("exif_data"))
            return CameraFacts(_taken(exif), _camera(exif), _hash(one.get("phash")), _size(one.get("dimensions")))
    return CameraFacts()


def _exif(given: object) -> dict[str, object]:
    """Tags without their group: some versions write `EXIF:Make`, some `Make`. Times of files say nothing here."""
    if not isinstance(given, dict):
        return {}
    return {str(key).rpartition(":")[2]: one for key, one in given.items() if not str(key).startswith("File:")}


def _taken(exif: Mapping[str, object]) -> datetime | None:
    """A time without a zone counts as UTC."""
    for tag in _TAKEN:
        text = exif.get(tag)
        match = _TIME.match(text) if isinstance(text, str) else None
        if match:
            zone = _ZONE.search(str(text)[match.end() :]) or _ZONE.fullmatch(str(exif.get("OffsetTimeOriginal", "")))
            return _time(match, zone[0] if zone else "+00:00")
    return None


def _time(match: re.Match[str], zone: str) -> datetime | None:
    year, month, day, hour, minute, second = match.groups()
    try:
        return datetime.fromisoformat(f"{year}-{month}-{day}T{hour}:{minute}:{second}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _camera(exif: Mapping[str, object]) -> str | None:
    make, model = _plain(exif.get("Make")), _plain(exif.get("Model"))
    name = model if model.startswith(make) else f"{make} {model}"
    return name.strip()[:MOST_CAMERA] or None


def _plain(value: object) -> str:
    """Without quotation marks, between which queries have it."""
    return fold(value.replace('"', " ")) if isinstance(value, str) else ""


def _hash(value: object) -> int | None:
    """64 bits as PostgreSQL keeps them in a bigint, with a sign."""
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        return None
    bits = int(value, 16)
    return bits - 2**64 if bits >= 2**63 else bits


def _size(value: object) -> tuple[int, int] | None:
    if not isinstance(value, dict):
        return None
    width, height = value.get("width"), value.get("height")
    fits = all(isinstance(one, int) and not isinstance(one, bool) and 0 < one < 2**31 for one in (width, height))
    return (int(width), int(height)) if fits else None  # type: ignore[arg-type] # both are whole numbers, see above
