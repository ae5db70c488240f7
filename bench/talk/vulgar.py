"""How many vulgar words are counted in made talks, and how many of these were said."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.talk.scenes import VULGAR
from bench.talk.scores import best_mapping
from dev.voices.talks import MadeTalk
from windmill.kernels.audio.attribution import attribute
from windmill.kernels.audio.heard_words import HeardWord
from windmill.kernels.audio.speaker_turns import SpeakerTurn
from windmill.kernels.text.spoken_words import spoken_word
from windmill.kernels.text.word_hits import count_talk
from windmill.kernels.text.word_list import WordList


@dataclass(frozen=True)
class VulgarScore:
    """Vulgar words that were said, that were counted, and of these the ones that their speaker has said."""

    said: int = 0
    counted: int = 0
    right: int = 0

    def __add__(self, other: "VulgarScore") -> "VulgarScore":
        return VulgarScore(self.said + other.said, self.counted + other.counted, self.right + other.right)


def vulgar_score(
    talk: MadeTalk, words: Sequence[HeardWord], turns: Sequence[SpeakerTurn], listed: WordList
) -> VulgarScore:
    """By speaker and word. Whoever recorded prompts has said none."""
    said = Counter((one.turn.speaker, VULGAR[one.text]) for one in talk.spoken if one.text and one.text in VULGAR)
    counted = vulgar_counts(talk, words, turns, listed)
    return VulgarScore(said.total(), sum(counted.values()), sum((said & Counter(counted)).values()))


def vulgar_counts(
    talk: MadeTalk, words: Sequence[HeardWord], turns: Sequence[SpeakerTurn], listed: WordList
) -> Mapping[tuple[str, str], int]:
    """As a job counts them, under the voice that each speaker mostly is."""
    names = best_mapping(talk.turns, turns)
    spoken = [spoken_word(one.document()) for one in attribute(words, turns)]
    hits = count_talk(spoken, listed).hits
    return Counter((names.get(hit.speaker, "?"), hit.corrected) for hit in hits if listed.is_vulgar(hit.corrected))
