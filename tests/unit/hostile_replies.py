"""Replies that no good service sends, made by hypothesis, and what has to hold for all that is stored of them."""

import json
from decimal import Decimal
from typing import Any

import orjson
from hypothesis import settings
from hypothesis import strategies as st

from windmill.core.outcomes import Stored
from windmill.core.settings import ROOT

CAPTURED = sorted((ROOT / "tests" / "conformance" / "services" / "replies").glob("*.json"))
# The same examples in every run, and none that fails because the machine is busy.
steady = settings(derandomize=True, deadline=None)

any_text = st.text(
    st.one_of(st.characters(exclude_categories=()), st.sampled_from('\x00\ud800\udfff\ud83d\ude00😀é\\"\n\u2028\x7f')),
    max_size=8,
)
any_number = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([2**63, 2**64, -(2**63) - 1, 10**30, 10**308, 10**309, 10**4000, 5e-324, -0.0]),
)
any_json = st.recursive(
    st.one_of(st.none(), st.booleans(), any_number, any_text),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(any_text, inner, max_size=4)),
    max_leaves=12,
)
any_object = st.dictionaries(any_text, any_json, max_size=4)
# Numbers that json.dumps would not write; each takes the place of this text.
PLACE = "@number@"
any_digits = st.one_of(
    st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,6})?", fullmatch=True),
    st.sampled_from(
        [
            "9" * 309,
            "9" * 5000,
            "1e400",
            "-1E+400",
            "1e-9999",
            "1e-20000",
            "0e99999999999",
            "1e99999999999",
            "1e-99999999999",
            "0." + "1" * 20_000,
            "0." + "0" * 20_000 + "1e20000",
            "0." + "1" * 4998 + "e-9999",
            "1" * 5000 + "e-4990",
        ]
    ),
)


def with_number(body: bytes, digits: str) -> bytes:
    return body.replace(f'"{PLACE}"'.encode(), digits.encode())


@st.composite
def replies(draw: st.DrawFn, envelopes: st.SearchStrategy[object]) -> bytes:
    """These documents as Python services write them, in each way in which they might."""
    text = json.dumps(draw(envelopes), ensure_ascii=draw(st.booleans()), sort_keys=draw(st.booleans()))
    encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"]))
    return with_number(text.encode(encoding, "surrogatepass"), draw(any_digits))


answers = st.fixed_dictionaries(
    {"status": st.just("success"), "predictions": st.lists(any_object, max_size=3)},
    optional={
        "service": any_json,
        "metadata": st.one_of(any_json, st.fixed_dictionaries({"processing_time": any_number})),
        "number": st.just(PLACE),
        "number in a list": st.just([PLACE, 0.5]),
        "other": any_json,
    },
)
"""Envelopes that keep the contract, whatever else they hold."""

nearly_answers = st.fixed_dictionaries(
    {},
    optional={
        "status": st.one_of(st.sampled_from(["success", "error"]), any_json),
        "predictions": st.one_of(st.lists(any_object, max_size=2), any_json),
        "metadata": st.one_of(any_json, st.fixed_dictionaries({"processing_time": any_json})),
        "error": st.one_of(any_json, st.fixed_dictionaries({"message": any_json})),
        "service": st.one_of(st.sampled_from(["colors", "yolo"]), any_json),
    },
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A reply of a real service with some bytes changed, left out or doubled."""
    body = bytearray(orjson.dumps(orjson.loads(draw(st.sampled_from(CAPTURED)).read_bytes())["body"]))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(body)))
        piece = draw(
            st.one_of(
                st.binary(max_size=3),
                st.sampled_from([b"\\u0000", b"\\ud800", b"NaN", b"\x00", b"[", b"}", b'"', b"\\", b"\xed\xa0\x80"]),
            )
        )
        body[at : at + draw(st.integers(0, 8))] = piece
    return bytes(body)


def acceptable(stored: Stored) -> Any:  # noqa: ANN401 - any JSON document
    """Check what PostgreSQL and everyone after it relies on, and return the document."""
    document = orjson.loads(stored.data)
    strictly = json.loads(stored.data, parse_constant=_no_json, parse_float=_checked, parse_int=_checked)
    for text in texts(strictly):
        assert "\x00" not in text
        text.encode()
    stored.data.encode()
    assert document["status"] == "success"
    assert all(isinstance(prediction, dict) for prediction in document["predictions"])
    assert stored.processing_time is None or 0 <= stored.processing_time < 1e7
    return document


def texts(value: object) -> list[str]:
    found, left = [], [value]
    while left:
        match left.pop():
            case str() as text:
                found.append(text)
            case list() as items:
                left += items
            case dict() as mapping:
                left += [*mapping.keys(), *mapping.values()]
    return found


def _no_json(word: str) -> object:
    raise AssertionError(f"{word} is not JSON")


def _checked(digits: str) -> float:
    """jsonb holds 131,072 digits before the point and 16,383 after it; a reader in Python holds a float."""
    exponent = Decimal(digits).as_tuple().exponent
    assert isinstance(exponent, int)
    assert -16_383 <= exponent <= 131_000
    return float(digits)
