"""All phrases of a list that occur in a row of tokens, found in one pass (Aho and Corasick)."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class TokenMatch:
    """Tokens `start` to before `end` are the phrase with this number."""

    start: int
    end: int
    phrase: int


@dataclass
class _Node:
    """What has been read so far, as a place in the tree of all phrases. `ends` are phrases that end here."""

    next: dict[str, int] = field(default_factory=dict)
    back: int = 0
    ends: list[int] = field(default_factory=list)


class TokenAutomaton:
    """Knows the phrases. Of two that are equal, the first counts."""

    def __init__(self, phrases: Sequence[Sequence[str]]) -> None:
        self._lengths = [len(phrase) for phrase in phrases]
        self._nodes = [_Node()]
        for number, phrase in enumerate(phrases):
            self._add(number, phrase)
        self._link()

    def _add(self, number: int, phrase: Sequence[str]) -> None:
        place = 0
        for token in phrase:
            if token not in self._nodes[place].next:
                self._nodes[place].next[token] = len(self._nodes)
                self._nodes.append(_Node())
            place = self._nodes[place].next[token]
        if place and not self._nodes[place].ends:
            self._nodes[place].ends.append(number)

    def _link(self) -> None:
        """From each node to that of the longest ending of it that begins a phrase, too; nearest to the root first."""
        waiting = deque(self._nodes[0].next.values())
        while waiting:
            place = waiting.popleft()
            for token, child in self._nodes[place].next.items():
                back = self._step(self._nodes[place].back, token)
                self._nodes[child].back = back
                self._nodes[child].ends += self._nodes[back].ends
                waiting.append(child)

    def _step(self, place: int, token: str) -> int:
        while place and token not in self._nodes[place].next:
            place = self._nodes[place].back
        return self._nodes[place].next.get(token, 0)

    def matches(self, tokens: Sequence[str]) -> Iterator[TokenMatch]:
        """Every occurrence of every phrase, by where it ends."""
        place = 0
        for at, token in enumerate(tokens):
            place = self._step(place, token)
            for number in self._nodes[place].ends:
                yield TokenMatch(at + 1 - self._lengths[number], at + 1, number)
