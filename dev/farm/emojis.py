"""Looking up emojis as each service does; they differ in the way and so in the answers."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Final

FACE: Final = "🙂"
TEXT: Final = "💬"
NSFW: Final = "🔞"


@cache
def _table() -> dict[str, str]:
    table: dict[str, str] = json.loads((Path(__file__).parent / "emojis.json").read_text(encoding="utf-8"))
    return table


def exact(word: str) -> str | None:
    """As yolov8, rtdetr, face and ocr look up: lower case, nothing else. `dining table` is not found."""
    return _table().get(word.lower())


def underscored(word: str) -> str | None:
    """As clip looks up: spaces become underscores."""
    return _table().get(re.sub(r"\s+", "_", word.strip().lower()))


def singular(word: str) -> str | None:
    """As detectron2, inception and the captioners look up: underscores, then again without a plural s."""
    return underscored(word) or (underscored(word[:-1]) if word.endswith("s") else None)


def mappings(text: str) -> list[tuple[str, str]]:
    """The words of a caption that have an emoji, in order, each once; two-word terms come first."""
    words = re.findall(r"[a-z]+", text.lower())
    found: dict[str, str] = {}
    at = 0
    while at < len(words):
        pair = "_".join(words[at : at + 2])
        term = pair if at + 1 < len(words) and singular(pair) else words[at]
        emoji = singular(term)
        if emoji:
            found.setdefault(term, emoji)
        at += term.count("_") + 1
    return list(found.items())
