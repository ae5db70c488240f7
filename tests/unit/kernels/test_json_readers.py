"""Readers for parts of a document: what they give, and how they tell what is wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from windmill.kernels.text.json_readers import (
    DocumentInvalid,
    MistakeCollector,
    dataclass_of,
    dict_of,
    integer,
    list_of,
    mapped,
    mapping,
    matching,
    number,
    object_of,
    one_of,
    optional,
    or_literal,
    parse_time,
    seconds,
    text,
)

Read = Callable[[object, str], object]


@dataclass(frozen=True)
class Pot:
    """Something with a key that must be given and one that need not."""

    size: int
    glaze: str | None = None


POT = dataclass_of(Pot, {"size": integer(1, 9), "glaze": optional(text)}, notes=["notes"])


@pytest.mark.parametrize(
    ("reader", "value", "read"),
    [
        (number(0, 1), 1, 1.0),
        (integer(1, 9), 9, 9),
        (seconds(60), 0.5, 0.5),
        (text, " a ", " a "),
        (matching("a+", "some a"), "aa", "aa"),
        (optional(text), None, None),
        (one_of(("a", None)), None, None),
        (or_literal("auto", integer(1, 9)), "auto", "auto"),
        (or_literal("auto", integer(1, 9)), 4, 4),
        (list_of(text, "names"), ["a", "b"], ("a", "b")),
        (mapped(len, list_of(integer(1, 9), "figures")), [7, 8], 2),
        (dict_of(text), {"a": "b"}, {"a": "b"}),
        (object_of({"a": text, "b": text}), {"a": "c"}, {"a": "c"}),
        (POT, {"size": 3, "notes": [1]}, Pot(3)),
    ],
)
def test_what_is_allowed_is_read(reader: Read, value: object, read: object) -> None:
    assert reader(value, "key") == read


@pytest.mark.parametrize(
    ("reader", "value", "said"),
    [
        (number(0, 1), float("nan"), "key is nan, and must be a number from 0 to 1"),
        (number(0, 1), True, "key is True, and must be a number from 0 to 1"),
        (integer(1, 9), 4.0, "key is 4.0, and must be a whole number from 1 to 9"),
        (integer(1, 9), True, "key is True, and must be a whole number from 1 to 9"),
        (seconds(60), 0, "key is 0, and must be seconds above 0, at most 60"),
        (seconds(60), float("inf"), "key is inf, and must be seconds above 0, at most 60"),
        (text, "  ", "key is '  ', and must be text"),
        (text, None, "key is None, and must be text"),
        (matching("a+", "some a"), "aab", "key is 'aab', and must be some a"),
        (matching("a+", "some a"), ["a"], "key is ['a'], and must be some a"),
        (one_of(("a", None)), ["a"], "key is ['a'], and must be one of a, null"),
        (or_literal("auto", integer(1, 9)), 0, 'key is 0, and must be a whole number from 1 to 9, or "auto"'),
        (list_of(text, "names"), "a", "key is 'a', and must be a list of names"),
        (list_of(text, "names"), ["a", 1, ""], "key[1] is 1, and must be text; key[2] is '', and must be text"),
        (mapping, [], "key is [], and must be an object"),
        (dict_of(text), {"a": 1, "b": "c", "d": 2}, "key.a is 1, and must be text; key.d is 2, and must be text"),
        (POT, {"glaze": "blue"}, "key.size is missing"),
        (
            POT,
            {"sise": 3, "glaze": 5},
            "key.sise is 3, and is not a known key; did you mean 'size'? known: size, glaze; key.size is missing;"
            " key.glaze is 5, and must be text",
        ),
        (text, list(range(99)), f"key is {list(range(99))!r:.80}, and must be text"),
    ],
)
def test_all_that_is_wrong_is_told_with_key_and_value_and_what_is_allowed(
    reader: Read, value: object, said: str
) -> None:
    with pytest.raises(DocumentInvalid) as refused:
        reader(value, "key")
    assert str(refused.value) == said


def test_a_document_without_a_name_has_keys_without_a_prefix() -> None:
    with pytest.raises(DocumentInvalid, match=r"^size is 0, and must be"):
        POT({"size": 0}, "")
    with pytest.raises(DocumentInvalid, match=r"^it is \[\], and must be an object"):
        POT([], "")


def test_a_value_that_is_absent_is_shown_as_nothing_and_a_long_one_in_part() -> None:
    with pytest.raises(DocumentInvalid) as refused:
        POT({"glaze": ["x" * 200]}, "pot")
    missing, long = refused.value.mistakes
    assert (missing.rendered_value, len(long.rendered_value)) == ("", 80)


def test_reading_goes_on_after_a_mistake_and_ends_without_one_where_there_was_none() -> None:
    found, read = MistakeCollector(), []
    for value in (1, "two", 3):
        with found.part():
            read.append(integer(1, 9)(value, "key"))
    assert read == [1, 3]
    with pytest.raises(DocumentInvalid, match="key is 'two'"):
        found.end()
    MistakeCollector().end()


@pytest.mark.parametrize(
    "told", ["2026-01-01T12:00:00Z", "2026-01-01T12:00:00", "2026-01-01T14:00:00+02:00", "2026-01-01T07:00:00-05:00"]
)
def test_a_moment_is_in_utc_however_it_is_told(told: str) -> None:
    read = parse_time(told)
    assert (read, read.tzinfo) == (datetime(2026, 1, 1, 12, tzinfo=UTC), UTC)


@pytest.mark.parametrize("told", ["yesterday", "", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_what_is_no_moment_of_the_calendar_is_a_value_error(told: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_time(told)
