"""The constants of box merging, for each detector and overall; parsed from a JSON document and back."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np

from windmill.kernels.boxes.geometry import Floats
from windmill.kernels.text.json_readers import (
    MistakeCollector,
    Reader,
    boolean,
    dataclass_of,
    dict_of,
    list_of,
    mapped,
    number,
    one_of,
    optional,
    text,
)
from windmill.kernels.text.labels import normalise_label

_RANGES = {
    "least": (0.0, 0.99),
    "offset": (-10.0, 10.0),
    "slope": (0.0, 20.0),
    "silence": (0.0, 10.0),
    "looseness": (0.001, 1.0),
    "overlap": (0.05, 0.99),
    "repeat_overlap": (0.05, 1.0),
    "rival_overlap": (0.05, 1.0),
    "agreement": (0.0, 2.0),
    "damping": (0.0, 1.0),
    "size": (0.0, 2.0),
    "part": (0.0, 1.5),  # bounded, because drawn scenes have no object inside one of the same label, while crowds do
}


@dataclass(frozen=True)
class DetectorCalibration:
    """The calibration of one detector; the defaults suit an unknown one: medians over fleets drawn at random."""

    least: float = 0.05
    """Its confidence threshold: it reports nothing below, or hardly anything."""
    offset: float = -1.96
    """Log-odds that a box of just that confidence is right, before any other service has answered."""
    slope: float = 4.45
    """What full confidence adds to these log-odds."""
    silence: float = 0.63
    """What a box of typical size loses, in log-odds, if this service answered without it."""
    looseness: float = 0.035
    """The typical error of its edges, as a share of the side; looser boxes weigh less in the merged box."""
    calibrated: bool = False
    """Whether these constants were fitted to labels, so that they tell how likely a box of its own is right."""
    vocabulary: str | None = None
    """The name of its vocabulary; None for an open vocabulary."""

    def told_from(self, least: float) -> "DetectorCalibration":
        """The same log-odds for every confidence, told from another threshold."""
        share = (least - self.least) / (1 - self.least)
        offset, slope = self.offset + share * self.slope, (1 - share) * self.slope
        return replace(self, least=least, offset=clamp("offset", offset), slope=clamp("slope", slope))


@dataclass(frozen=True)
class BoxCalibration:
    """All constants of merging. Overlaps are intersection over union (IoU)."""

    detectors: Mapping[str, DetectorCalibration] = field(default_factory=dict)
    unknown: DetectorCalibration = DetectorCalibration()
    vocabularies: Mapping[str, frozenset[str]] = field(default_factory=dict)
    overlap: float = 0.5
    """Boxes of several services with one label and this mean overlap are one object."""
    repeat_overlap: float = 0.6
    """Boxes of one service with one label and this overlap are duplicates."""
    rival_overlap: float = 0.75
    """Boxes with different labels and this overlap are rival names of one object."""
    agreement: float = 0.72
    """The share of its confidence that another agreeing service adds. Below 1, because errors correlate."""
    damping: float = 0.77
    """The factor on the value of confidence for each silent service."""
    size: float = 0.57
    """How much less silence about small objects counts, per factor of e in the side."""
    part: float = 1.3
    """What a box of a single service loses inside a larger box of the same label: it may be a part of that."""

    def of(self, service: str) -> DetectorCalibration:
        """The calibration of a service, or the one for unknown services."""
        return self.detectors.get(service, self.unknown)

    def column(self, name: str, services: Iterable[str]) -> Floats:
        """One constant of each service, shape (k,)."""
        return np.array([getattr(self.of(service), name) for service in services], dtype=np.float64)

    def knows(self, service: str, label: str) -> bool:
        """Whether a service could have reported this label."""
        vocabulary = self.of(service).vocabulary
        return vocabulary is None or label in self.vocabularies[vocabulary]

    @classmethod
    def from_document(cls, document: object) -> "BoxCalibration":
        """Parse a JSON object; raises DocumentInvalid with all mistakes."""
        calibration: BoxCalibration = dataclass_of(cls, _readers(), notes=["notes"])(document, "boxes")
        known = one_of((None, *sorted(calibration.vocabularies)))
        entries = {f"boxes.detectors.{name}": entry for name, entry in calibration.detectors.items()}
        found = MistakeCollector()
        for key, entry in (entries | {"boxes.unknown": calibration.unknown}).items():
            with found.part():
                known(entry.vocabulary, f"{key}.vocabulary")
        found.end()
        return calibration

    def as_document(self) -> dict[str, Any]:
        """The JSON object that from_document parses."""
        own = {one.name: getattr(self, one.name) for one in fields(self)}
        return own | {
            "detectors": {name: asdict(entry) for name, entry in sorted(self.detectors.items())},
            "unknown": asdict(self.unknown),
            "vocabularies": {name: sorted(labels) for name, labels in sorted(self.vocabularies.items())},
        }


def clamp(name: str, value: float) -> float:
    """Clamp a constant to its range."""
    least, most = _RANGES[name]
    return min(max(value, least), most)


def _readers() -> dict[str, Reader[Any]]:
    own: dict[str, Reader[Any]] = {"calibrated": boolean, "vocabulary": optional(text)}
    detector = dataclass_of(DetectorCalibration, _numbers(DetectorCalibration) | own)
    return _numbers(BoxCalibration) | {
        "detectors": dict_of(detector),
        "unknown": detector,
        "vocabularies": dict_of(mapped(_vocabulary, list_of(text, "labels"))),
    }


def _numbers(kind: type[DetectorCalibration | BoxCalibration]) -> dict[str, Reader[Any]]:
    """The constants, each with its range."""
    return {one.name: number(*_RANGES[one.name]) for one in fields(kind) if one.name in _RANGES}


def _vocabulary(labels: Iterable[str]) -> frozenset[str]:
    return frozenset(map(normalise_label, labels))
