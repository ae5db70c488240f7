"""blip and ollama: a sentence about the most prominent things, and the emojis of its words."""

import random

from dev.farm.answers.dice import Prediction, dice
from dev.farm.answers.looks import Look, look
from dev.farm.answers.palette import tone
from dev.farm.coco import LABELS
from dev.farm.emojis import mappings
from dev.farm.layout import noun_phrase, prominent
from dev.farm.pictures import Picture
from dev.farm.truth import Scene

_OVERLOOKED, _MISTAKEN, _INVENTED = 0.25, 0.12, 0.18


def blip(picture: Picture, seed: int) -> list[Prediction]:
    """A lower-case caption; the list of mappings is always there."""
    rng = dice("blip", seed, picture.identity)
    if picture.truth:
        place = rng.choice((" in a {}", " near a {}", "", "")).format(_place(picture.truth))
        text = _joined(_nouns(look(picture, picture.truth, seed), rng, limit=3)) + place
    else:
        text = f"a picture with mostly {tone(picture)} colors"
    return [{"text": text, "emoji_mappings": _mapped(text)}]


def ollama(picture: Picture, seed: int) -> list[Prediction]:
    """A sentence; no key for mappings when there are none."""
    rng = dice("ollama", seed, picture.identity)
    if picture.truth:
        sentence = rng.choice(("The image shows {}.", "You can see {} here.", "This {place} scene has {}."))
        nouns = _joined(_nouns(look(picture, picture.truth, seed), rng, limit=4))
        text = sentence.format(nouns, place=_place(picture.truth))
    else:
        text = f"The image shows a scene in {tone(picture)} tones."
    mapped = _mapped(text)
    return [{"text": text} | ({"emoji_mappings": mapped} if mapped else {})]


def _place(scene: Scene) -> str:
    return scene.theme.replace("_", " ")


def _nouns(seen: Look, rng: random.Random, limit: int) -> list[str]:
    named = [
        (seen.rival(label) if rng.random() < _MISTAKEN else label, count)
        for label, count in prominent(seen.plain, limit)
        if rng.random() >= _OVERLOOKED
    ]
    if rng.random() < _INVENTED:
        named.append((rng.choice(LABELS), 1))
    return [noun_phrase(label, count) for label, count in dict(named).items()]


def _joined(phrases: list[str]) -> str:
    if not phrases:
        return "a view"
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def _mapped(text: str) -> list[dict[str, str]]:
    return [{"word": word, "emoji": emoji} for word, emoji in mappings(text)]
