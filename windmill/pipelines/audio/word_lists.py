"""The lists of rules and words of an installation: those that ship, and the user's own in PRESETS_DIR/words."""

import re
from collections.abc import Callable
from pathlib import Path

import orjson

from windmill.core.errors import WindmillError
from windmill.core.paths import packaged_file
from windmill.core.settings import load_settings
from windmill.kernels.text.json_readers import DocumentInvalid
from windmill.kernels.text.word_list import WordList, read_word_list

SHIPPED = packaged_file("presets")
FOLDER = "words"
FindWords = Callable[[str], WordList]
_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")


def configured_words(name: str) -> WordList:
    return find_word_list(name, load_settings().presets_dir)


def find_word_list(name: str, own: Path, shipped: Path = SHIPPED) -> WordList:
    """An own one goes before a shipped one; raises NOT_FOUND, or USAGE with every mistake in it."""
    if _NAME.fullmatch(name):
        for folder in (own, shipped):
            if (path := folder / FOLDER / f"{name}.json").is_file():
                return _read(path)
    known = ", ".join(sorted({path.stem for folder in (own, shipped) for path in (folder / FOLDER).glob("*.json")}))
    raise WindmillError("NOT_FOUND", f"there is no list of words {name!r:.100}", f"there are {known}")


def _read(path: Path) -> WordList:
    try:
        document = orjson.loads(path.read_bytes())
        found = read_word_list(document if isinstance(document, dict) else {})
    except (orjson.JSONDecodeError, DocumentInvalid, TypeError, ValueError) as error:
        raise WindmillError("USAGE", f"{path.name}: {error}", "correct that file") from error
    if found.name != path.stem:
        raise WindmillError("USAGE", f"{path.name} has the name {found.name!r:.100}", "give it the name of its file")
    return found
