"""Typed values with limits: what an input of a preset or a parameter of a step may be, as data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from windmill.kernels.text.json_readers import (
    ABSENT,
    MistakeCollector,
    Reader,
    invalid_value,
    list_of,
    rejected_value,
    unknown_keys,
)

JsonValue: TypeAlias = bool | int | float | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"] | None
"""What JSON can hold."""

ValueType = Literal[
    "text", "integer", "number", "boolean", "choice", "seed", "image", "images", "video", "audio", "job"
]
FileType = Literal[
    "image",
    "images",
    "video",
    "audio",
    "footage",
    "segments",
    "pieces",
    "frames",
    "detections",
    "tracks",
    "talk",
    "speech",
    "turns",
    "words",
    "transcript",
    "hits",
]
"""What steps hand to each other. `footage` is a video or a picture, `segments` are of a source, `pieces` of a result;
`frames` are pictures of a video, `detections` what was seen in them, `tracks` who is who in these; `talk` is a joined
recording, `hits` are the words that were wanted."""
VALUE_TYPES: tuple[ValueType, ...] = get_args(ValueType)
FILE_TYPES: tuple[FileType, ...] = get_args(FileType)
MAX_SEED = 2**32
LARGEST = 2**53
"""The largest whole number that every reader of JSON keeps."""
MAX_TEXT = 20_000
MAX_FILES = 100

LIMITS: Mapping[ValueType, tuple[str, ...]] = {
    "text": ("min_length", "max_length", "contains"),
    "integer": ("minimum", "maximum"),
    "number": ("minimum", "maximum"),
    "boolean": (),
    "choice": ("choices",),
    "seed": (),
    "image": (),
    "images": ("min_items", "max_items"),
    "video": (),
    "audio": (),
    "job": (),
}
"""The limits that a value of each type can have."""


@dataclass(frozen=True)
class ValueSpec:
    """What a value may be. Files are named by the ids of artifacts, jobs by theirs; both are text here."""

    type: ValueType
    description: str = ""
    required: bool = False
    default: JsonValue = None
    examples: tuple[JsonValue, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    min_length: int = 0
    max_length: int = MAX_TEXT
    contains: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    min_items: int = 1
    max_items: int = MAX_FILES

    @property
    def is_file(self) -> bool:
        return self.type in FILE_TYPES

    @property
    def may_be_absent(self) -> bool:
        """Whether a step may find no value here. A seed that nobody gives is drawn."""
        return not self.required and self.default is None and self.type != "seed"


def reader_of(spec: ValueSpec) -> Reader[Any]:
    """Reads a value of this kind; errors say what is allowed."""
    return _READERS[spec.type](spec)


def read_values(specs: Mapping[str, ValueSpec], given: Mapping[str, object], where: str = "") -> dict[str, Any]:
    """All given values and the defaults of the others; every mistake at once is raised."""
    found, values = MistakeCollector(), {}
    prefix = f"{where}." if where else ""
    found.mistakes += unknown_keys(given, prefix, specs)
    for name, spec in specs.items():
        with found.part():
            if given.get(name) is not None:
                values[name] = reader_of(spec)(given[name], prefix + name)
            elif spec.required:
                raise rejected_value(prefix + name, ABSENT, f"is missing; it {allowed_values(spec)}")
            elif spec.default is not None:
                values[name] = spec.default
    found.end()
    return values


def allowed_values(spec: ValueSpec) -> str:
    """What is allowed, as the end of a sentence."""
    return f"must be {_WORDS[spec.type](spec)}"


def _bounds(spec: ValueSpec) -> str:
    low, high = spec.minimum, spec.maximum
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    return f" of at least {low:g}" if low is not None else f" of at most {high:g}" if high is not None else ""


def _text_words(spec: ValueSpec) -> str:
    holding = f" that contains {' and '.join(spec.contains)}" if spec.contains else ""
    return f"text of {spec.min_length} to {spec.max_length} characters{holding}"


_WORDS: Mapping[ValueType, Callable[[ValueSpec], str]] = {
    "text": _text_words,
    "integer": lambda spec: f"a whole number{_bounds(spec)}",
    "number": lambda spec: f"a number{_bounds(spec)}",
    "boolean": lambda _: "true or false",
    "choice": lambda spec: f"one of {', '.join(spec.choices)}",
    "seed": lambda _: f"a whole number from 0 to {MAX_SEED}",
    "image": lambda _: "the id of a picture",
    "images": lambda spec: f"a list of {spec.min_items} to {spec.max_items} ids of pictures",
    "video": lambda _: "the id of a video",
    "audio": lambda _: "the id of a recording",
    "job": lambda _: "the id of a job",
}


def _reader_that(fits: Callable[[Any, ValueSpec], bool]) -> Callable[[ValueSpec], Reader[Any]]:
    def reader(spec: ValueSpec) -> Reader[Any]:
        def read(value: object, key: str) -> Any:  # noqa: ANN401 - whatever the type of the spec is
            if not fits(value, spec):
                raise invalid_value(key, value, allowed_values(spec).removeprefix("must be "))
            return value

        return read

    return reader


def _is_text(value: object, spec: ValueSpec) -> bool:
    fits = isinstance(value, str) and spec.min_length <= len(value) <= spec.max_length
    return (
        fits and (bool(str(value).strip()) or not spec.min_length) and all(part in str(value) for part in spec.contains)
    )


def _is_number(value: object, spec: ValueSpec) -> bool:
    low = -LARGEST if spec.minimum is None else spec.minimum
    high = LARGEST if spec.maximum is None else spec.maximum
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _is_integer(value: object, spec: ValueSpec) -> bool:
    return isinstance(value, int) and _is_number(value, spec)


def _is_seed(value: object, _: ValueSpec) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_SEED


def _is_id(value: object, _: ValueSpec) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= 200


def _read_images(spec: ValueSpec) -> Reader[Any]:
    ids = list_of(_READERS["image"](spec), "ids of pictures")

    def read(value: object, key: str) -> Any:  # noqa: ANN401 - see Reader
        if not isinstance(value, list) or not spec.min_items <= len(value) <= spec.max_items:
            raise invalid_value(key, value, allowed_values(spec).removeprefix("must be "))
        return list(ids(value, key))

    return read


_READERS: Mapping[ValueType, Callable[[ValueSpec], Reader[Any]]] = {
    "text": _reader_that(_is_text),
    "integer": _reader_that(_is_integer),
    "number": _reader_that(_is_number),
    "boolean": _reader_that(lambda value, _: isinstance(value, bool)),
    "choice": _reader_that(lambda value, spec: value in spec.choices),
    "seed": _reader_that(_is_seed),
    "images": _read_images,
    **{kind: _reader_that(_is_id) for kind in ("image", "video", "audio", "job")},
}
