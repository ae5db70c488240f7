"""What is known of each detector, and the few constants of merging: from a JSON document and back, checked whole."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from windmill.kernels.boxes.geometry import Floats
from windmill.kernels.text.document_readers import (
    Gathering,
    Reader,
    each,
    listed,
    made,
    number,
    one_of,
    optional,
    shaped,
    text,
)
from windmill.kernels.text.labels import normalised

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
    "part": (0.0, 1.5),  # in drawn scenes nothing lies in its like; in crowds things do, so fitting must not run away
}


@dataclass(frozen=True)
class Detector:
    """One service that gives boxes; the defaults are for one of which nothing is known."""

    least: float = 0.25
    """The confidence under which it reports nothing."""
    offset: float = -0.3
    """Log-odds that a box of just that confidence is right, as long as no other service has answered."""
    slope: float = 2.0
    """What full confidence adds to these log-odds."""
    silence: float = 0.5
    """What it costs a box of typical size, in log-odds, that this service answered and does not have it."""
    looseness: float = 0.035
    """How far its edges are off, as a share of the side; a looser box weighs less in the merged one."""
    vocabulary: str | None = None
    """The name of the list of labels that it knows; without one, it may know any."""


@dataclass(frozen=True)
class BoxCalibration:
    """All constants of merging. Overlaps are intersection over union."""

    detectors: Mapping[str, Detector] = field(default_factory=dict)
    unknown: Detector = Detector()
    vocabularies: Mapping[str, frozenset[str]] = field(default_factory=dict)
    overlap: float = 0.5
    """Boxes of two services that overlap so much, on the average of a cluster, and have one label, are one object."""
    repeat_overlap: float = 0.6
    """Boxes of one service and one label that overlap so much are one box, said twice."""
    rival_overlap: float = 0.75
    """Boxes of different labels that overlap so much are one object with two names."""
    agreement: float = 0.8
    """How much of its confidence another service adds when it agrees. Less than 1, as services err alike."""
    damping: float = 0.8
    """What is left of the worth of confidence for each service that is silent."""
    size: float = 0.5
    """How much less it means to be silent about a small thing, for each factor of e in its side."""
    part: float = 1.0
    """What it costs the box of one service to lie in a larger one of the same label: it may be a part of that."""

    def of(self, service: str) -> Detector:
        """What is known of a service, listed or not."""
        return self.detectors.get(service, self.unknown)

    def column(self, name: str, services: Iterable[str]) -> Floats:
        """One constant for each service, shape (k,)."""
        return np.array([getattr(self.of(service), name) for service in services], dtype=np.float64)

    def knows(self, service: str, label: str) -> bool:
        """Whether a service could have said this label."""
        vocabulary = self.of(service).vocabulary
        return vocabulary is None or label in self.vocabularies[vocabulary]

    @classmethod
    def from_document(cls, document: object) -> "BoxCalibration":
        """What a parsed JSON object describes; raises DocumentInvalid with all keys and values that are wrong."""
        calibration: BoxCalibration = shaped(cls, _readers(), notes=["notes"])(document, "boxes")
        known = one_of((None, *sorted(calibration.vocabularies)))
        entries = {f"boxes.detectors.{name}": entry for name, entry in calibration.detectors.items()}
        found = Gathering()
        for key, entry in (entries | {"boxes.unknown": calibration.unknown}).items():
            with found.part():
                known(entry.vocabulary, f"{key}.vocabulary")
        found.end()
        return calibration

    def as_document(self) -> dict[str, Any]:
        """The JSON object that describes it."""
        own = {one.name: getattr(self, one.name) for one in fields(self)}
        return own | {
            "detectors": {name: asdict(entry) for name, entry in sorted(self.detectors.items())},
            "unknown": asdict(self.unknown),
            "vocabularies": {name: sorted(labels) for name, labels in sorted(self.vocabularies.items())},
        }


def allowed(name: str, value: float) -> float:
    """The nearest value that a constant may have."""
    least, most = _RANGES[name]
    return min(max(value, least), most)


def _readers() -> dict[str, Reader[Any]]:
    detector = shaped(Detector, _numbers(Detector) | {"vocabulary": optional(text)})
    return _numbers(BoxCalibration) | {
        "detectors": each(detector),
        "unknown": detector,
        "vocabularies": each(made(_vocabulary, listed(text, "labels"))),
    }


def _numbers(kind: type[Detector | BoxCalibration]) -> dict[str, Reader[Any]]:
    """The constants, each with its range."""
    return {one.name: number(*_RANGES[one.name]) for one in fields(kind) if one.name in _RANGES}


def _vocabulary(labels: Iterable[str]) -> frozenset[str]:
    return frozenset(map(normalised, labels))
