"""What all services have in common when they look at a scene; real models share their mistakes too."""

from dataclasses import dataclass

from dev.farm.answers.dice import dice
from dev.farm.coco import lookalikes
from dev.farm.pictures import Picture
from dev.farm.truth import Scene, Thing

_HARD_SHARE = 0.18


@dataclass(frozen=True, slots=True)
class Look:
    """A scene as any service comes to see it: which things are hard to make out, and what is like what."""

    scene: Scene
    identity: str
    seed: int
    hard: tuple[bool, ...]

    def rival(self, label: str) -> str:
        """What this label looks like in this picture, to whichever service mistakes it."""
        return dice("rival", self.seed, self.identity, label).choice(lookalikes(label))

    @property
    def plain(self) -> list[Thing]:
        """The things that are not hard to make out."""
        return [thing for thing, hard in zip(self.scene.things, self.hard, strict=True) if not hard]


def look(picture: Picture, scene: Scene, seed: int) -> Look:
    """The common look at a picture that carries this truth."""
    rng = dice("hard", seed, picture.identity)
    return Look(scene, picture.identity, seed, tuple(rng.random() < _HARD_SHARE for _ in scene.things))
