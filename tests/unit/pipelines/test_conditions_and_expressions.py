"""Conditions and expressions: the few forms that there are, and what they say."""

from typing import Any

import pytest

from windmill.kernels.text.json_readers import DocumentInvalid
from windmill.pipelines.presets.conditions import MAX_DEPTH, decide, read_condition
from windmill.pipelines.presets.expressions import Known, read_expression, value_of

KNOWN = Known({"prompt": "a {cat} in {n}", "count": 3, "flag": True}, "standard", {"cfg": 7.5, "face": False}, each=2)
PRO: dict[str, Any] = {"value": "$quality", "equals": "pro"}
STANDARD: dict[str, Any] = {"value": "$quality", "in": ["standard", "pro"]}

ABSENT: dict[str, Any] = {"value": "$photo", "given": True}


@pytest.mark.parametrize(
    ("condition", "met", "why"),
    [
        (STANDARD, True, "the quality is standard"),
        (PRO, False, "the quality is standard, not pro"),
        ({"value": "$quality", "in": ["low", "pro"]}, False, "the quality is standard, not one of low, pro"),
        ({"value": "$quality.face", "equals": True}, False, "face is false, not true"),
        ({"value": "$quality.cfg", "at_least": 7.5}, True, "cfg is 7.5"),
        ({"value": "$quality.cfg", "at_most": 7}, False, "cfg is 7.5, not at most 7"),
        ({"value": "$count", "at_least": 4}, False, "count is 3, not at least 4"),
        ({"value": "$photo", "given": True}, False, "photo is not given"),
        ({"value": "$photo", "given": False}, True, "photo is not given"),
        ({"value": "$count", "given": False}, False, "count is given"),
        ({"value": "$photo", "at_least": 1}, False, "photo is not given"),
        ({"value": "$flag", "equals": 1}, False, "flag is true, not 1"),
        ({"not": PRO}, True, "the quality is standard, not pro"),
        ({"all": [STANDARD, PRO]}, False, "the quality is standard, not pro"),
        ({"any": [STANDARD, PRO]}, True, "the quality is standard"),
        ({"any": [PRO, ABSENT]}, False, "the quality is standard, not pro and photo is not given"),
    ],
)  # fmt: skip
def test_a_condition_is_decided_with_a_sentence_that_says_why(condition: dict[str, Any], met: bool, why: str) -> None:
    decision = decide(read_condition(condition, "when"), KNOWN)
    assert (decision.met, decision.why) == (met, why)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        (5, 5),
        (True, True),
        ("plain", "plain"),
        ("$$5", "$5"),
        ("$prompt", "a {cat} in {n}"),
        ("$missing", None),
        ("$quality", "standard"),
        ("$quality.cfg", 7.5),
        ("$each", 2),
        ({"first": ["$missing", "$count", 9]}, 3),
        ({"first": ["$missing"]}, None),
        ({"fill": "{a} and {b}", "with": {"a": "{b}", "b": "$count"}}, "{b} and 3"),
        ({"fill": "$prompt", "with": {"n": "$each"}}, "a {cat} in 2"),
        ({"fill": "{a}", "with": {}}, "{a}"),
    ],
)
def test_an_expression_has_the_value_that_it_names(expression: object, value: object) -> None:
    assert value_of(read_expression(expression, "x"), KNOWN) == value


@pytest.mark.parametrize(
    "text", ["$", "$Prompt", "$steps", "$steps.", "$quality.", "$a.b", "$prompt ", "${prompt}", "$a-b"]
)
def test_what_looks_like_a_reference_and_is_none_is_refused(text: str) -> None:
    with pytest.raises(DocumentInvalid, match="is no reference"):
        read_expression(text, "x")


@pytest.mark.parametrize("text", ["__import__('os')", "{prompt.__class__}", "%(a)s", "`id`", "{0}", "{{7*7}}"])
def test_no_text_is_ever_evaluated(text: str) -> None:
    assert value_of(read_expression(text, "x"), KNOWN) == text
    assert value_of(read_expression({"fill": text, "with": {"n": 1}}, "x"), KNOWN) == text


def test_conditions_are_not_nested_without_end() -> None:
    condition: dict[str, Any] = PRO
    for _ in range(MAX_DEPTH + 1):
        condition = {"not": condition}
    with pytest.raises(DocumentInvalid, match="nested more than"):
        read_condition(condition, "when")
    assert read_condition(condition["not"], "when")
