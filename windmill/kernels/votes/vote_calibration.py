"""What the vote has to know of services beforehand: who they are, what they can say, how far to trust them.

All of it is data. Weights are log-odds: what a yes of this service adds, what its silence takes away.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

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
    wrong,
)
from windmill.kernels.text.labels import normalised
from windmill.kernels.votes.emojis import SPECIAL, group_of
from windmill.kernels.votes.findings import Role

Evidence = Literal["spatial", "semantic", "classification", "specialized", "other"]
ANY, NOTHING = "any", "nothing"
"""Vocabularies of services that may name whatever they see, or of which nobody knows what they could have said."""
_HEAVIEST = 20.0


@dataclass(frozen=True)
class ServiceVoice:
    """One service.

    Its yes adds `voice`, `slope` times the log-odds of its confidence and `again` times the logarithm of how many it
    saw, but never less than 0. Its silence takes `silence` away, where it could have spoken.
    `confirms` is what it adds to persons when it finds a face or a body without calling it a person.
    """

    display: str | None = None
    evidence: Evidence = "other"
    family: str | None = None
    vocabulary: str = NOTHING
    role: Role | None = None
    voice: float = 1.5
    slope: float = 0.5
    again: float = 0.5
    silence: float = 0.0
    confirms: float = 0.0


@dataclass(frozen=True)
class Family:
    """Like services make like mistakes: what the others of a family add to its strongest, as a share, said or not."""

    share: float = 0.3
    silent_share: float = 0.3


@dataclass(frozen=True)
class BoxVoice:
    """A merged box speaks as one more voice of the family that it was made from."""

    family: str = "detectors"
    voice: float = 1.0
    slope: float = 0.5
    again: float = 0.5


@dataclass(frozen=True)
class VoteCalibration:
    """Everything that the vote takes as given.

    An emoji is listed from a probability of `threshold`, or of `unopposed_threshold` while no other family than those
    that named it could have.
    `prior` is the log-odds of an emoji that nobody has spoken on yet, and `commoner` what to add for those that images
    show more often than others.
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

    def of(self, service: str) -> ServiceVoice:
        """A service that nobody has described is a family of its own, believed a little; its silence says nothing."""
        return self.services.get(service) or ServiceVoice()

    def display(self, service: str) -> str:
        """The name by which readers of the first version know a service."""
        return self.of(service).display or service

    def family_of(self, service: str) -> str:
        """Services without a family do not share one."""
        return self.of(service).family or service

    def family(self, name: str) -> Family:
        return self.families.get(name) or Family()

    def could_say(self, service: str, emoji: str) -> bool:
        """Whether the silence of this service on this emoji says anything."""
        vocabulary = self.of(service).vocabulary
        if vocabulary == ANY:
            return emoji not in SPECIAL
        return emoji in self.vocabularies.get(vocabulary, ())

    def as_document(self) -> dict[str, Any]:
        """What `from_document` reads."""
        document = asdict(self)
        document["vocabularies"] = {name: sorted(emojis) for name, emojis in self.vocabularies.items()}
        return document

    @classmethod
    def from_document(cls, document: object) -> "VoteCalibration":
        """Raises DocumentInvalid with all keys and values that are wrong; what is left out has its default."""
        calibration: VoteCalibration = shaped(cls, _readers(), notes=["notes"])(document, "votes")
        known = one_of(sorted({ANY, NOTHING, *calibration.vocabularies}))
        found = Gathering()
        for name, service in calibration.services.items():
            with found.part():
                known(service.vocabulary, f"votes.services.{name}.vocabulary")
        found.end()
        return calibration


def _readers() -> dict[str, Reader[Any]]:
    weight = number(0, _HEAVIEST)
    family = shaped(Family, {"share": number(0, 1), "silent_share": number(0, 1)})
    boxes = shaped(BoxVoice, {"family": text, "voice": number(-_HEAVIEST, _HEAVIEST), "slope": weight, "again": weight})
    service = shaped(
        ServiceVoice,
        {
            "display": optional(text),
            "evidence": one_of(get_args(Evidence)),
            "family": optional(text),
            "vocabulary": text,
            "role": one_of((None, *get_args(Role))),
            "voice": number(-_HEAVIEST, _HEAVIEST),
            "slope": weight,
            "again": weight,
            "silence": weight,
            "confirms": weight,
        },
    )
    return {
        "threshold": number(0, 1),
        "unopposed_threshold": number(0, 1),
        "prior": number(-_HEAVIEST, _HEAVIEST),
        "commoner": _commoner,
        "labels": _labels,
        "vocabularies": each(made(_vocabulary, listed(_emoji, "emojis"))),
        "families": each(family),
        "services": each(service),
        "boxes": boxes,
    }


def _commoner(value: object, key: str) -> dict[str, float]:
    read = each(number(-_HEAVIEST, _HEAVIEST))(value, key)
    return {group_of(_emoji(emoji, key)) or "": offset for emoji, offset in read.items()}


def _labels(value: object, key: str) -> dict[str, str]:
    return {normalised(label): emoji for label, emoji in each(_emoji)(value, key).items()}


def _vocabulary(emojis: Iterable[str]) -> frozenset[str]:
    """As groups, so that it does not matter how they are spelt."""
    return frozenset(group_of(emoji) or "" for emoji in emojis)


def _emoji(value: object, key: str) -> str:
    if group_of(value) is None:
        raise wrong(key, value, "an emoji")
    return str(value)
