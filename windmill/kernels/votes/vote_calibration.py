"""The calibration of the vote: for each service its family, its vocabulary, and the weights of its votes and silences.

Weights are log-odds: what a yes of the service adds, and what its silence subtracts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from windmill.kernels.text.json_readers import (
    MistakeCollector,
    Reader,
    dataclass_of,
    dict_of,
    invalid_value,
    list_of,
    mapped,
    number,
    one_of,
    optional,
    text,
)
from windmill.kernels.text.labels import normalise_label
from windmill.kernels.votes.emojis import SPECIAL, group_of
from windmill.kernels.votes.specialist_findings import Role

Evidence = Literal["spatial", "semantic", "classification", "specialized", "other"]
ANY, NOTHING = "any", "nothing"
"""Vocabularies of services that can name anything, and of services whose vocabulary is unknown."""
_MAX_WEIGHT = 20.0


@dataclass(frozen=True)
class ServiceVoice:
    """The weights of one service.

    Its yes adds `voice`, plus `slope` times the log-odds of its confidence, plus `again` times the logarithm of its
    count, minus `lag` times the log-odds by which it is behind the service's surest yes in the image, but never less
    than 0. Its silence subtracts `silence` if its vocabulary has the emoji. `confirms` is what it
    adds to persons if it finds a face or a body without calling it a person.
    """

    display: str | None = None
    evidence: Evidence = "other"
    family: str | None = None
    vocabulary: str = NOTHING
    role: Role | None = None
    voice: float = 1.5
    slope: float = 0.5
    again: float = 0.5
    lag: float = 0.0
    silence: float = 0.0
    confirms: float = 0.0


@dataclass(frozen=True)
class Family:
    """Similar services make similar errors: the shares by which all but the strongest vote or silence count."""

    share: float = 0.3
    silent_share: float = 0.3


_UNKNOWN_VOICE, _UNKNOWN_FAMILY = ServiceVoice(), Family()


@dataclass(frozen=True)
class BoxVoice:
    """A merged box is one more vote of the family of its detectors."""

    family: str = "detectors"
    voice: float = 1.0
    slope: float = 0.5
    again: float = 0.5


@dataclass(frozen=True)
class TypicalFleet:
    """What learning without labels sees of a fleet that these weights suit, in log-odds; it changes weights by what is
    different. `odds` and `slope` tell how likely the other kinds of service make what a merged box shows, by the weight
    of the box and beside all that is named; `likely` is the share of likely emojis among those that are named."""

    odds: float
    slope: float
    likely: float


@dataclass(frozen=True)
class VoteCalibration:
    """All constants of the vote.

    An emoji is listed from a probability of `threshold`, or of `unopposed_threshold` if no family but those that named
    it could have. `prior` is the log-odds of an emoji without any votes; `commoner` adds to it for common emojis.
    """

    threshold: float = 0.5
    unopposed_threshold: float = 0.5
    prior: float = -1.5
    commoner: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    vocabularies: Mapping[str, frozenset[str]] = field(default_factory=dict)
    families: Mapping[str, Family] = field(default_factory=dict)
    services: Mapping[str, ServiceVoice] = field(default_factory=dict)
    boxes: BoxVoice = field(default_factory=BoxVoice)
    typical: TypicalFleet | None = None
    """Of the weights that Windmill comes with; None for others, from which nothing can be learnt."""

    def of(self, service: str) -> ServiceVoice:
        """The weights of a service; an unknown one is a family of its own with a small weight, and its silence is
        ignored."""
        return self.services.get(service, _UNKNOWN_VOICE)

    def display(self, service: str) -> str:
        """The name of a service in the output of the first version."""
        return self.of(service).display or service

    def family_of(self, service: str) -> str:
        """The family of a service; without one it is a family of its own."""
        return self.of(service).family or service

    def family(self, name: str) -> Family:
        return self.families.get(name, _UNKNOWN_FAMILY)

    def could_say(self, service: str, emoji: str) -> bool:
        """Whether the vocabulary of this service has the emoji, so that its silence counts."""
        vocabulary = self.of(service).vocabulary
        if vocabulary == ANY:
            return emoji not in SPECIAL
        return emoji in self.vocabularies.get(vocabulary, ())

    def as_document(self) -> dict[str, Any]:
        """The JSON object that from_document parses."""
        document = asdict(self)
        document["vocabularies"] = {name: sorted(emojis) for name, emojis in self.vocabularies.items()}
        return document

    @classmethod
    def from_document(cls, document: object) -> "VoteCalibration":
        """Parse a JSON object; raises DocumentInvalid with all mistakes. Missing keys get defaults."""
        calibration: VoteCalibration = dataclass_of(cls, _readers(), notes=["notes"])(document, "votes")
        known = one_of(sorted({ANY, NOTHING, *calibration.vocabularies}))
        found = MistakeCollector()
        for name, service in calibration.services.items():
            with found.part():
                known(service.vocabulary, f"votes.services.{name}.vocabulary")
        found.end()
        return calibration


def _readers() -> dict[str, Reader[Any]]:
    weight = number(0, _MAX_WEIGHT)
    family = dataclass_of(Family, {"share": number(0, 1), "silent_share": number(0, 1)})
    boxes = dataclass_of(
        BoxVoice, {"family": text, "voice": number(-_MAX_WEIGHT, _MAX_WEIGHT), "slope": weight, "again": weight}
    )
    service = dataclass_of(
        ServiceVoice,
        {
            "display": optional(text),
            "evidence": one_of(get_args(Evidence)),
            "family": optional(text),
            "vocabulary": text,
            "role": one_of((None, *get_args(Role))),
            "voice": number(-_MAX_WEIGHT, _MAX_WEIGHT),
            "slope": weight,
            "again": weight,
            "lag": weight,
            "silence": weight,
            "confirms": weight,
        },
    )
    odds = number(-_MAX_WEIGHT, _MAX_WEIGHT)
    return {
        "threshold": number(0, 1),
        "unopposed_threshold": number(0, 1),
        "prior": number(-_MAX_WEIGHT, _MAX_WEIGHT),
        "commoner": _commoner,
        "labels": _labels,
        "vocabularies": dict_of(mapped(_vocabulary, list_of(_emoji, "emojis"))),
        "families": dict_of(family),
        "services": dict_of(service),
        "boxes": boxes,
        "typical": optional(dataclass_of(TypicalFleet, {"odds": odds, "slope": odds, "likely": odds})),
    }


def _commoner(value: object, key: str) -> dict[str, float]:
    read = dict_of(number(-_MAX_WEIGHT, _MAX_WEIGHT))(value, key)
    return {group_of(_emoji(emoji, key)) or "": offset for emoji, offset in read.items()}


def _labels(value: object, key: str) -> dict[str, str]:
    return {normalise_label(label): emoji for label, emoji in dict_of(_emoji)(value, key).items()}


def _vocabulary(emojis: Iterable[str]) -> frozenset[str]:
    """The emoji groups, so that spellings do not matter."""
    return frozenset(group_of(emoji) or "" for emoji in emojis)


def _emoji(value: object, key: str) -> str:
    if group_of(value) is None:
        raise invalid_value(key, value, "an emoji")
    return str(value)
