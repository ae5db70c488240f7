"""Comparing a reply with the contract. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dev.farm.contract import Traits
from dev.farm.prediction_shapes import prediction_shape
from dev.farm.shapes import Shape, departures

ReplyKind = Literal["success", "error", "score error", "page", "health"]

_TIMING = {"processing_time": "number"}
_MODEL_INFO = {"framework": "string", "*": "any"}


@dataclass(frozen=True)
class Expectation:
    """The reply that a probe should get."""

    kind: ReplyKind
    statuses: tuple[int, ...]
    body: Shape = "any"
    must_be: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Observation:
    """The reply that it got; `failure` says why there was none."""

    status: int = 0
    content_type: str = ""
    body: bytes = b""
    failure: str = ""


def expect_success(service: str, traits: Traits) -> Expectation:
    body = {
        "service": "string",
        "status": "string",
        "predictions": [prediction_shape(service)],
        "metadata": _TIMING | {"model_info": _MODEL_INFO, "*": "any"},
    }
    return Expectation("success", (200,), body, {"status": "success", "service": traits.reply_name})


def expect_error(status: int, traits: Traits) -> Expectation:
    model_info = {"model_info": _MODEL_INFO} if traits.model_info_in_errors else {}
    body = {
        "service": "string",
        "status": "string",
        "predictions": ["any"],
        "error": {"message": "string"},
        "metadata": _TIMING | model_info,
    }
    must_be = {"status": "error", "service": traits.reply_name, "predictions": []}
    return Expectation("error", (status,), body, must_be)


def expect_score_error(traits: Traits) -> Expectation:
    body = {
        "service": "string",
        "status": "string",
        "similarity_score": "null",
        "error": {"message": "string"},
        "metadata": _TIMING,
    }
    return Expectation("score error", (400,), body, {"status": "error", "service": traits.reply_name})


def expect_page(status: int) -> Expectation:
    return Expectation("page", (status,))


def expect_health() -> Expectation:
    return Expectation("health", (200, 503), {"status": "string", "*": "any"})


def judge(expected: Expectation, got: Observation) -> list[str]:
    """Every departure from the contract; empty if there is none."""
    if got.failure:
        return [f"expected status {_either(expected.statuses)}, got no reply: {got.failure}"]
    return list(_judge(expected, got))


def _judge(expected: Expectation, got: Observation) -> Iterator[str]:
    if got.status not in expected.statuses:
        yield f"expected status {_either(expected.statuses)}, got {got.status}{_reason(got)}"
        return
    wanted_type = "text/html" if expected.kind == "page" else "application/json"
    if got.content_type.partition(";")[0].strip() != wanted_type:
        yield f"content type: expected {wanted_type}, got {got.content_type or 'none'}"
        return
    if expected.kind != "page":
        yield from _judge_json(expected, got)


def _judge_json(expected: Expectation, got: Observation) -> Iterator[str]:
    document = _parsed(got)
    if document is None:
        yield f"body: expected JSON, got {got.body[:60]!r}"
        return
    yield from departures(document, expected.body)
    if isinstance(document, dict):
        for key, wanted in expected.must_be.items():
            if key in document and document[key] != wanted:
                yield f"{key}: expected {wanted!r}, got {document[key]!r:.60}"


def _parsed(got: Observation) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(got.body)
    except (ValueError, RecursionError):
        return None


def _reason(got: Observation) -> str:
    document = _parsed(got)
    error = document.get("error") if isinstance(document, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return f" ({message!s:.80})" if message else ""


def _either(statuses: tuple[int, ...]) -> str:
    return " or ".join(map(str, statuses))
