"""Other ways to vote on the same answers: probabilities and listed emojis for each image."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from windmill.kernels.votes.ballots import predictions_of
from windmill.kernels.votes.emojis import group_of
from windmill.kernels.votes.vote_design import Floats, VoteExample

_ROUNDS = 20


class RivalVotes(NamedTuple):
    """What an image shows by one method, as groups of emojis."""

    chances: dict[str, float]
    listed: set[str]


VoteMethod = Callable[[Sequence[VoteExample]], list[RivalVotes]]


def voters(example: VoteExample) -> list[str]:
    """The services whose replies have emojis."""
    return [service for service in example.answers if service not in ("colors", "metadata", "pose")]


def first_version(examples: Sequence[VoteExample]) -> list[RivalVotes]:
    """Emojis that two services give as the same string."""
    return [_counted(example, _said(example, str), least=2) for example in examples]


def any_voice(examples: Sequence[VoteExample]) -> list[RivalVotes]:
    """Emojis of at least one service."""
    return [_counted(example, _said(example, group_of), least=1) for example in examples]


def two_voices(examples: Sequence[VoteExample]) -> list[RivalVotes]:
    """Emojis of at least two services, in any spelling."""
    return [_counted(example, _said(example, group_of), least=2) for example in examples]


def majority(examples: Sequence[VoteExample]) -> list[RivalVotes]:
    """Emojis of at least half of the services that give any."""
    return [_counted(example, _said(example, group_of), least=_half(example)) for example in examples]


def dawid_skene(examples: Sequence[VoteExample]) -> list[RivalVotes]:
    """Rates of true and false positives of each service, estimated from their agreement by EM, without labels."""
    services = sorted({service for example in examples for service in voters(example)})
    keys = [(number, emoji) for number, example in enumerate(examples) for emoji in _said(example, group_of)]
    said = [_said(example, group_of) for example in examples]
    yes = np.array([[service in said[number][emoji] for service in services] for number, emoji in keys], dtype=float)
    chances = _expected(yes.reshape(-1, len(services)))
    verdicts = [RivalVotes({}, set()) for _ in examples]
    for (number, emoji), chance in zip(keys, chances.tolist(), strict=True):
        verdicts[number].chances[emoji] = chance
        if chance >= 0.5:
            verdicts[number].listed.add(emoji)
    return verdicts


def _expected(yes: Floats) -> Floats:
    """The probability of each row of yes (1) and no (0), at the most likely rates of the columns."""
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


def _counted(example: VoteExample, said: Mapping[str, set[str]], least: int) -> RivalVotes:
    """The share of the services that answered, as the probability."""
    spoke = max(len(voters(example)), 1)
    chances: dict[str, float] = {}
    listed = set()
    for emoji, services in said.items():
        group = group_of(emoji) or emoji
        chances[group] = max(chances.get(group, 0.0), len(services) / spoke)
        if len(services) >= least:
            listed.add(group)
    return RivalVotes(chances, listed)


def _said(example: VoteExample, spell: Callable[[str], str | None]) -> dict[str, set[str]]:
    """The words of a caption, or else the emoji of a prediction; a label alone does not count."""
    said: dict[str, set[str]] = {}
    for service in voters(example):
        for prediction in predictions_of(example.answers[service]):
            words = prediction.get("emoji_mappings") or [prediction]
            for emoji in (word.get("emoji") for word in words):
                if emoji and (spelt := spell(emoji)):
                    said.setdefault(spelt, set()).add(service)
    return said


RIVALS: Mapping[str, VoteMethod] = {
    "first version": first_version,
    "any voice": any_voice,
    "two voices": two_voices,
    "majority": majority,
    "Dawid-Skene": dawid_skene,
}
