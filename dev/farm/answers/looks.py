"""Errors that all services share in a scene, because real models share mistakes too."""

from dataclasses import dataclass

from dev.farm.answers.dice import dice
from dev.farm.coco import lookalikes
from dev.farm.pictures import Picture
from dev.farm.truth import Scene, Thing

_HARD_SHARE = 0.18


@dataclass(frozen=True, slots=True)
class Look:
    """A scene as every service sees it: which things are hard to recognise, and what they are mistaken for."""

    scene: Scene
    identity: str
    seed: int
    hard: tuple[bool, ...]

    def rival(self, label: str) -> str:
        """The label that this one is mistaken for in this picture, by any service."""
        return dice("rival", self.seed, self.identity, label).choice(lookalikes(label))

    @property
    def plain(self) -> list[Thing]:
        """The things that are easy to recognise."""
        return [thing for thing, hard in zip(self.scene.things, self.hard, strict=True) if not hard]


def look(picture: Picture, scene: Scene, seed: int) -> Look:
    """The common look at a picture that carries this truth."""
    rng = dice("hard", seed, picture.identity)
    return Look(scene, picture.identity, seed, tuple(rng.random() < _HARD_SHARE for _ in scene.things))
