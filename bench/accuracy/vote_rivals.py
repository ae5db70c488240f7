"""Other ways to vote on the same answers; each takes the voices of images to chances and to what is listed."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from windmill.kernels.votes.ballots import predictions_of
from windmill.kernels.votes.emojis import group_of
from windmill.kernels.votes.vote_design import Floats, VoteExample

_ROUNDS = 20


class Verdict(NamedTuple):
    """What an image shows by one method, as groups of emojis."""

    chances: dict[str, float]
    listed: set[str]


Method = Callable[[Sequence[VoteExample]], list[Verdict]]


def voters(example: VoteExample) -> list[str]:
    """The services that say emojis at all."""
    return [service for service in example.answers if service not in ("colors", "metadata", "pose")]


def first_version(examples: Sequence[VoteExample]) -> list[Verdict]:
    """Two services wrote the same string."""
    return [_counted(example, _said(example, str), least=2) for example in examples]


def any_voice(examples: Sequence[VoteExample]) -> list[Verdict]:
    """One service said it."""
    return [_counted(example, _said(example, group_of), least=1) for example in examples]


def two_voices(examples: Sequence[VoteExample]) -> list[Verdict]:
    """Two services said it, however it is spelt."""
    return [_counted(example, _said(example, group_of), least=2) for example in examples]


def majority(examples: Sequence[VoteExample]) -> list[Verdict]:
    """At least half of the services that say emojis."""
    return [_counted(example, _said(example, group_of), least=_half(example)) for example in examples]


def dawid_skene(examples: Sequence[VoteExample]) -> list[Verdict]:
    """How often each service says what is so, and what is not so, found from how they agree (EM, no labels)."""
    services = sorted({service for example in examples for service in voters(example)})
    keys = [(number, emoji) for number, example in enumerate(examples) for emoji in _said(example, group_of)]
    said = [_said(example, group_of) for example in examples]
    yes = np.array([[service in said[number][emoji] for service in services] for number, emoji in keys], dtype=float)
    chances = _expected(yes.reshape(-1, len(services)))
    verdicts = [Verdict({}, set()) for _ in examples]
    for (number, emoji), chance in zip(keys, chances.tolist(), strict=True):
        verdicts[number].chances[emoji] = chance
        if chance >= 0.5:
            verdicts[number].listed.add(emoji)
    return verdicts


def _expected(yes: Floats) -> Floats:
    """The chance of each row of yes (1) and no (0), when the rates of the columns are as likely as can be."""
    chances: Floats = np.clip(yes.sum(axis=1) / max(yes.shape[1], 1), 0.05, 0.95)
    for _ in range(_ROUNDS):
        weights = np.stack((chances, 1 - chances))
        rates = (weights @ yes + 1) / (weights.sum(axis=1, keepdims=True) + 2)
        prior = np.log(weights.sum(axis=1) + 1)
        logs = yes @ np.log(rates).T + (1 - yes) @ np.log(1 - rates).T + prior
        chances = 1 / (1 + np.exp(np.clip(logs[:, 1] - logs[:, 0], -30, 30)))
    return chances


def _half(example: VoteExample) -> int:
    return max(1, (len(voters(example)) + 1) // 2)


def _counted(example: VoteExample, said: Mapping[str, set[str]], least: int) -> Verdict:
    """Chances are shares of the services that spoke; the first version states none."""
    spoke = max(len(voters(example)), 1)
    chances: dict[str, float] = {}
    listed = set()
    for emoji, services in said.items():
        group = group_of(emoji) or emoji
        chances[group] = max(chances.get(group, 0.0), len(services) / spoke)
        if len(services) >= least:
            listed.add(group)
    return Verdict(chances, listed)


def _said(example: VoteExample, spell: Callable[[str], str | None]) -> dict[str, set[str]]:
    """The words of a caption, or else the emoji of a prediction; a label alone says nothing."""
    said: dict[str, set[str]] = {}
    for service in voters(example):
        for prediction in predictions_of(example.answers[service]):
            words = prediction.get("emoji_mappings") or [prediction]
            for emoji in (word.get("emoji") for word in words):
                if emoji and (spelt := spell(emoji)):
                    said.setdefault(spelt, set()).add(service)
    return said


RIVALS: Mapping[str, Method] = {
    "first version": first_version,
    "any voice": any_voice,
    "two voices": two_voices,
    "majority": majority,
    "Dawid-Skene": dawid_skene,
}
