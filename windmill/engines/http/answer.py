"""What a JSON answer of a server means. Pure."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from windmill.core.errors import WindmillError
from windmill.engines.outputs import bad_output
from windmill.engines.told_codes import told_code

PATHS = ("frames_path", "output_path", "path", "paths")
URLS = ("output_url", "url", "urls")
DATA = ("image", "images")
_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w=.-]+)*;base64,", re.IGNORECASE)
_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"GIF8": ".gif",
    b"RIFF": ".webp",
    b"PK\x03\x04": ".zip",
}


@dataclass(frozen=True)
class Paths:
    """Files and folders on storage that is shared."""

    paths: tuple[str, ...]


@dataclass(frozen=True)
class Urls:
    """Where the files can be fetched."""

    urls: tuple[str, ...]


@dataclass(frozen=True)
class Inline:
    """The files themselves, by name."""

    files: Mapping[str, bytes]


@dataclass(frozen=True)
class Document:
    """The answer is itself the result."""


Answer = Paths | Urls | Inline | Document


def read_answer(document: object, hide: Callable[[str], str] = str) -> Answer:
    """What the answer says; raises SERVICE_ERROR, or the code that it names, for one that says that it failed, with its
    words as `hide` leaves them."""
    if not isinstance(document, dict):
        return Document()
    _must_not_have_failed(document, hide)
    for names, shape in ((PATHS, _paths), (URLS, _urls), (DATA, _inline)):
        if texts := _texts(document, names):
            return shape(texts)
    return Document()


def read_predictions(document: object, hide: Callable[[str], str] = str) -> Answer:
    """The same for a model that answers predictions; raises BAD_RESPONSE if there are none."""
    if isinstance(document, dict):
        _must_not_have_failed(document, hide)
        if isinstance(document.get("predictions"), list):
            return Document()
    raise bad_output('it answered JSON without a list "predictions"')


def suffix_of(data: bytes) -> str:
    """The suffix that fits the first bytes of a file."""
    return next((suffix for sign, suffix in _SIGNATURES.items() if data.startswith(sign)), ".bin")


def _paths(texts: tuple[str, ...]) -> Answer:
    return Paths(texts)


def _urls(texts: tuple[str, ...]) -> Answer:
    return Urls(texts)


def _inline(texts: tuple[str, ...]) -> Answer:
    decoded = [_decoded(text) for text in texts]
    return Inline({f"output_{number:04d}{suffix_of(data)}": data for number, data in enumerate(decoded)})


def _texts(document: Mapping[str, object], names: tuple[str, ...]) -> tuple[str, ...]:
    """The texts under the first of these names that has any."""
    for name in names:
        value = document.get(name)
        texts = [value] if isinstance(value, str) else value
        if isinstance(texts, list) and texts and all(isinstance(one, str) and one for one in texts):
            return tuple(texts)
    return ()


def _decoded(text: str) -> bytes:
    prefix = _DATA_URL.match(text)
    try:
        return base64.b64decode(text[prefix.end() :] if prefix else text, validate=True)
    except binascii.Error as error:
        raise bad_output("it answered a picture that is not base64") from error


def _must_not_have_failed(document: Mapping[str, object], hide: Callable[[str], str]) -> None:
    if document.get("success") is False or document.get("status") == "error":
        said = f"the engine says that it failed: {hide(_reason(document))}"
        raise WindmillError(told_code(document) or "SERVICE_ERROR", said)


def _reason(document: Mapping[str, object]) -> str:
    error = document.get("error") or document.get("message")
    said = error.get("message") if isinstance(error, dict) else error
    return said if isinstance(said, str) and said else "without a reason"
