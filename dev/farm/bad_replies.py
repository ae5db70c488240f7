"""Turning a good reply into a bad one, as real services send them. Pure."""

import random
from collections.abc import Callable

from dev.farm.faults import Faults
from dev.farm.replies import HTML, StandInReply, dumps

_PREDICTIONS = b'"predictions":['
_PAGE = b"<!doctype html>\n<html lang=en>\n<title>502 Bad Gateway</title>\n<h1>Bad Gateway</h1>\n"


_ADDED_BYTES = len(b'{"anomaly":""}')


def bad_reply(fault: str, good: StandInReply, faults: Faults, dice: random.Random) -> StandInReply:
    """The reply after this fault; faults that do not concern bodies change nothing."""
    spoiler = _SPOILERS.get(fault)
    return spoiler(good, faults, dice) if spoiler else good


def _html(_good: StandInReply, _faults: Faults, _dice: random.Random) -> StandInReply:
    return StandInReply(200, _PAGE, HTML)


def _cut_json(good: StandInReply, _faults: Faults, _dice: random.Random) -> StandInReply:
    return StandInReply(good.status, good.body[: len(good.body) // 2], good.content_type)


def _empty(good: StandInReply, _faults: Faults, _dice: random.Random) -> StandInReply:
    return StandInReply(good.status, b"", good.content_type)


def _binary(good: StandInReply, _faults: Faults, dice: random.Random) -> StandInReply:
    return StandInReply(good.status, dice.randbytes(512), good.content_type)


def _with_prediction(value: bytes) -> Callable[[StandInReply, Faults, random.Random], StandInReply]:
    """The same document with one more prediction in front, which holds this raw JSON."""

    def spoiler(good: StandInReply, _faults: Faults, _dice: random.Random) -> StandInReply:
        head, found, tail = good.body.partition(_PREDICTIONS)
        if not found:
            return good
        comma = b"" if tail.startswith(b"]") else b","
        return StandInReply(good.status, head + found + b'{"anomaly":' + value + b"}" + comma + tail, good.content_type)

    return spoiler


def _wrong_type(good: StandInReply, _faults: Faults, _dice: random.Random) -> StandInReply:
    body = {"metadata": {"processing_time": 0.0}, "predictions": "none", "status": "success"}
    return StandInReply(good.status, dumps(body), good.content_type)


def _giant(good: StandInReply, faults: Faults, dice: random.Random) -> StandInReply:
    filler = b'"' + b"x" * max(0, faults.whole("giant-bytes") - len(good.body) - _ADDED_BYTES) + b'"'
    return _with_prediction(filler)(good, faults, dice)


def _nested(good: StandInReply, faults: Faults, dice: random.Random) -> StandInReply:
    depth = faults.whole("nesting-depth")
    return _with_prediction(b"[" * depth + b"]" * depth)(good, faults, dice)


_SPOILERS: dict[str, Callable[[StandInReply, Faults, random.Random], StandInReply]] = {
    "html-rate": _html,
    "cut-json-rate": _cut_json,
    "empty-rate": _empty,
    "binary-rate": _binary,
    "nan-rate": _with_prediction(b"[NaN,Infinity,-Infinity]"),
    "nul-rate": _with_prediction(rb'"nul \u0000 inside"'),
    "surrogate-rate": _with_prediction(rb'"half \ud83d of a pair"'),
    "wrong-type-rate": _wrong_type,
    "giant-rate": _giant,
    "nesting-rate": _nested,
}
