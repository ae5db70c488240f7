"""ocr: the written words with some letters misread; on other pictures tesseract where it is installed."""

import csv
import io
import random
import shutil
import subprocess
from functools import cache

from dev.farm.answers.dice import Prediction, confidence, dice
from dev.farm.emojis import TEXT, exact
from dev.farm.pictures import Picture
from dev.farm.truth import PixelBox, Writing

_MISSED, _MISREAD = 0.08, 0.04
_SMALLEST_LETTER = 9
_MISREADINGS = {"O": "0", "0": "O", "I": "l", "l": "I", "S": "5", "B": "8", "E": "F", "G": "6", "a": "o", "n": "m"}
_ENGINE_SECONDS = 20
_ENGINE_SURE = 40.0
_WORD_LEVEL = "5"

_Region = tuple[str, float, PixelBox]


def answer(picture: Picture, seed: int) -> list[Prediction]:
    """One prediction, whether there is text or not."""
    rng = dice("ocr", seed, picture.identity)
    regions: list[_Region] = []
    if picture.truth is not None:
        regions = [region for writing in picture.truth.writings for region in _read(writing, rng)]
    elif engine():
        regions = _read_by_engine(picture)
    return [prediction(regions)]


@cache
def engine() -> str | None:
    """The path of tesseract, if it is installed."""
    return shutil.which("tesseract")


def _read(writing: Writing, rng: random.Random) -> list[_Region]:
    letters = [_MISREADINGS.get(letter, letter) if rng.random() < _MISREAD else letter for letter in writing.text]
    sureness = 1 - rng.betavariate(1.5, 18)
    x, y, width, height = (round(side + rng.gauss(0, 1.5)) for side in writing.box)
    overlooked = rng.random() < _MISSED or writing.box[3] < _SMALLEST_LETTER
    return [] if overlooked else [("".join(letters), sureness, (max(x, 0), max(y, 0), width, height))]


def _read_by_engine(picture: Picture) -> list[_Region]:
    """Words of high confidence; none if tesseract fails."""
    try:
        done = subprocess.run(
            [engine() or "tesseract", "stdin", "stdout", "--psm", "11", "tsv"],
            input=picture.data,
            capture_output=True,
            timeout=_ENGINE_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return words_in(done.stdout.decode("utf-8", "replace"))


def words_in(table: str) -> list[_Region]:
    """The words in tesseract's tab-separated output, without the doubtful and the blank."""
    rows = csv.DictReader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE)
    words = [row for row in rows if row["level"] == _WORD_LEVEL and float(row["conf"]) >= _ENGINE_SURE]
    return [(row["text"], float(row["conf"]) / 100, _row_box(row)) for row in words if row["text"].strip()]


def _row_box(row: dict[str, str]) -> PixelBox:
    return int(row["left"]), int(row["top"]), int(row["width"]), int(row["height"])


def prediction(regions: list[_Region]) -> Prediction:
    """What the service says of a picture in which it read this."""
    text = " ".join(region[0] for region in regions)
    words = {word: emoji for word in text.lower().split() if (emoji := exact(word))}
    return {
        "text": text,
        "has_text": bool(text),
        "emoji": TEXT if text else "",
        "emoji_mappings": [{"word": word, "emoji": emoji} for word, emoji in words.items()],
        "text_regions": [
            {
                "text": words_read,
                "confidence": confidence(sureness),
                "bbox": {"x": x, "y": y, "width": width, "height": height},
            }
            for words_read, sureness, (x, y, width, height) in regions
        ],
    }
