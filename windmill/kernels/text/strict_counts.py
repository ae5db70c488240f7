"""Counting as the first version of the word lists did, to compare with it: phrases are replaced wherever their letters
stand, the longest first, then whole words; then words are counted where no letter stands beside them. It invents words;
nothing else in Windmill counts so."""

import re
from collections import Counter

from windmill.kernels.text.word_list import WordList, WordRule


def strict_text(text: str, words: WordList) -> str:
    """The text after all of its rules, one after the other."""
    for rule in sorted(words.rules, key=lambda one: (one.strict != "substring", -len(one.phrase))):
        text = re.sub(_pattern(rule), rule.becomes, text, flags=re.IGNORECASE)
    return text


def _pattern(rule: WordRule) -> str:
    phrase = re.escape(rule.phrase)
    return phrase if rule.strict == "substring" else rf"\b{phrase}\b"


def strict_counts(text: str, words: WordList) -> Counter[str]:
    """How often each wanted word stands in the text."""
    corrected = strict_text(text, words)
    found = {word: len(re.findall(rf"(?<![a-z]){word}(?![a-z])", corrected, re.IGNORECASE)) for word in words.targets}
    return Counter({word: number for word, number in found.items() if number})
