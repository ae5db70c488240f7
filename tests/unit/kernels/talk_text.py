"""Talk as tests write it, and the list of words that ships."""

import json
from collections.abc import Sequence

from windmill.core.paths import packaged_file
from windmill.kernels.text.spoken_words import SpokenWord
from windmill.kernels.text.word_list import WordList, read_word_list

SINGLISH: WordList = read_word_list(
    json.loads((packaged_file("presets") / "words" / "singlish_v1.json").read_text(encoding="utf-8"))
)


def said(text: str, *, confidence: float = 0.95, guesses: Sequence[str] = (), speaker: str = "A") -> list[SpokenWord]:
    """Half a second for each word, without pauses; every word has the guesses."""
    return [
        SpokenWord(place / 2, place / 2 + 0.5, word, confidence, speaker, tuple(guesses))
        for place, word in enumerate(text.split())
    ]
