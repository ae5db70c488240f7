"""The answers of services as rows: what each said in words, how it went, and whether a stand-in spoke. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from windmill.operate.runs.reading import KnownAnswer
from windmill.operate.show.image_report import Failure, failure_of, said_of

STAND_IN = "windmill-farm"
"""The framework that stand-ins name in `model_info`."""
MOST_RAW = 6_000
"""Characters of an answer that are shown; whoever wants more asks for the document."""
AnswerState = Literal["answered", "failed", "awaited"]


@dataclass(frozen=True)
class InspectedAnswer:
    """One service. `raw` is its answer as JSON, as much of it as fits."""

    service: str
    state: AnswerState
    said: str = ""
    seconds: float | None = None
    attempt: int = 0
    failure: Failure | None = None
    raw: str = ""
    cut: bool = False
    stand_in: bool = False


def inspected_answer(answer: KnownAnswer) -> InspectedAnswer:
    data = answer.data if isinstance(answer.data, dict) else {}
    raw = orjson.dumps(answer.data, option=orjson.OPT_INDENT_2).decode() if answer.data is not None else ""
    failure = failure_of(answer.error_code, answer.error_message)
    return InspectedAnswer(
        service=answer.service,
        state="failed" if failure else "answered",
        said=failure.code if failure else summary_of(data),
        seconds=answer.seconds,
        attempt=answer.attempt,
        failure=failure,
        raw=raw[:MOST_RAW],
        cut=len(raw) > MOST_RAW,
        stand_in=is_stand_in(data),
    )


def awaited_answer(service: str) -> InspectedAnswer:
    return InspectedAnswer(service, "awaited", "no answer yet")


def is_stand_in(data: Mapping[str, Any]) -> bool:
    """Whether a program answered that stands in for a model, so that what it said is made up."""
    metadata = data.get("metadata")
    info = metadata.get("model_info") if isinstance(metadata, dict) else None
    return isinstance(info, dict) and STAND_IN in (info.get("framework"), info.get("model"))


def summary_of(data: Mapping[str, Any]) -> str:
    """What a service said, in a line: its words, each with how often."""
    counts: dict[str, int] = {}
    for word in said_of(data) or _colours(data):
        counts[word] = counts.get(word, 0) + 1
    said = ", ".join(word if number == 1 else f"{word} \u00d7{number}" for word, number in counts.items())
    if said:
        return said
    predictions = data.get("predictions")
    number = len(predictions) if isinstance(predictions, list) else 0
    return "nothing" if not number else f"{number} {'finding' if number == 1 else 'findings'}"


def _colours(data: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name, _ in colours_of(data))


def colours_of(data: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The name and the value, such as #b8432f, of each colour of a palette."""
    predictions = data.get("predictions")
    first = predictions[0] if isinstance(predictions, list) and predictions else None
    palette = first.get("palette") if isinstance(first, dict) else None
    colours = palette.get("colors") if isinstance(palette, dict) else None
    listed = [one for one in colours if isinstance(one, dict)] if isinstance(colours, list) else []
    return tuple((_colour_name(one), value) for one in listed if _is_hex(value := str(one.get("hex") or "")))


def _colour_name(colour: Mapping[str, Any]) -> str:
    named = (value for name, value in colour.items() if name not in ("hex", "temperature") and isinstance(value, str))
    return next(named, str(colour.get("hex"))).partition(" (")[0]


def _is_hex(value: str) -> bool:
    return len(value) == 7 and value.startswith("#") and all(sign in "0123456789abcdefABCDEF" for sign in value[1:])
