"""Queries: how they are read, told again, and refused with the place of a mistake."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windmill.kernels.indexing.colour_names import COLOURS
from windmill.kernels.query.parser import parse_query
from windmill.kernels.query.rendering import render_query
from windmill.kernels.query.tokens import QueryInvalid
from windmill.kernels.query.tree import (
    And,
    CountTerm,
    GroupTerm,
    LabelTerm,
    Not,
    NsfwTerm,
    Or,
    Query,
    SizeTerm,
    Span,
    TakenTerm,
    TextTerm,
)

A, B, C = (LabelTerm(one) for one in ("a", "b", "c"))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", And()),
        ("label:a label:b", And((A, B))),
        ("label:a AND label:b OR label:c", Or((And((A, B)), C))),
        ("label:a (label:b | label:c)", And((A, Or((B, C))))),
        ("-label:a NOT label:b", And((Not(A), Not(B)))),
        ("-(label:a OR -label:b)", Not(Or((A, Not(B))))),
        ("dog", Or((LabelTerm("dog"), TextTerm("dog")))),
        ("label:Hair_Dryer", LabelTerm("hair drier")),
        ('label:"Teddy  Bear"@0.8', LabelTerm("teddy bear", least=800)),
        ("label:golden*", LabelTerm("golden", prefix=True)),
        ("\N{DOG FACE}", LabelTerm("\N{DOG FACE}")),
        ('text:"Café con*"*', TextTerm("cafe con*", "prefix")),
        ("text:~top", TextTerm("top", "substring")),
        ("faces:2 persons:>=3", And((CountTerm("faces", Span(2, 2)), CountTerm("persons", Span(3))))),
        ("persons:<3 persons:1..4", And((CountTerm("persons", Span(None, 2)), CountTerm("persons", Span(1, 4))))),
        ("nsfw:no", NsfwTerm(Span(None, 499))),
        ("nsfw:>0.4", NsfwTerm(Span(401))),
        ("size:>=1000x800", SizeTerm(Span(1000), Span(800))),
        ("group:Ferien-2024", GroupTerm("Ferien-2024")),
        ("taken:2023-12", TakenTerm(datetime(2023, 12, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC))),
        ("taken:2024-05..2024", TakenTerm(datetime(2024, 5, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))),
        ("taken:>2024-02-28", TakenTerm(datetime(2024, 2, 29, tzinfo=UTC), None)),
    ],
)
def test_a_query_is_read_as_people_mean_it(text: str, tree: Query) -> None:
    assert parse_query(text) == tree


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("label:dog foo:bar", 10, "there is no field 'foo'; there are label, text"),
        ("dog label:", 4, "label: has no value"),
        ('label:"dog', 6, "a quotation mark is not closed"),
        ("(a b", 4, "a parenthesis is not closed"),
        ("a)", 1, "this parenthesis closes nothing"),
        ("a OR", 4, "a condition is missing here"),
        ("()", 1, "a condition is missing here"),
        ("faces:many", 0, "'many' is no whole number, as in faces:2"),
        ("faces:..", 0, "has neither a beginning nor an end"),
        ("colour:mauve", 0, "is no colour here; there are black"),
        ("taken:2024-13", 0, "is no year, month or day"),
        ("text:~ab", 0, "a part of a word has at least 3 letters"),
        ("text:...", 0, "has no letter and no digit"),
        ("label:>dog", 0, "> is not for label"),
        ("label:dog@2", 0, "is no probability from 0 to 1"),
        ("faces:2@0.5", 0, "@ is for labels"),
        ("camera:canon*", 0, "a star is for labels and text"),
        ("size:big", 0, "is no size, as in size:>=1000x800"),
        ("label:a*b", 0, "'label:a*b' cannot be read"),
        (" ".join("abc" for _ in range(51)), 200, "at most 50 conditions"),
        ("(" * 40 + "a" + ")" * 40, 21, "too many parentheses"),
        ("x" * 2_001, 2_000, "at most 2,000 characters"),
    ],
)
def test_a_query_that_cannot_be_read_is_refused_with_the_place(text: str, place: int, said: str) -> None:
    with pytest.raises(QueryInvalid) as refused:
        parse_query(text)
    assert (refused.value.place, said in refused.value.said) == (place, True), refused.value.said


WORD = st.text(st.characters(exclude_characters='"', exclude_categories=["Cs"]), min_size=1, max_size=8)
CONDITIONS = st.one_of(
    WORD.map(lambda one: f'label:"{one}"'),
    WORD.map(lambda one: f'text:"{one}"'),
    WORD.map(lambda one: f'group:"{one}"'),
    st.sampled_from([f"colour:{one}" for one in COLOURS]),
    st.builds("persons:{}..{}".format, st.integers(0, 9), st.integers(0, 9)),
    st.builds("taken:{:%Y-%m-%d}..".format, st.dates()),
    st.builds("nsfw:>={:.3f}".format, st.floats(0, 1)),
    st.builds("size:<{}x{}".format, st.integers(1, 99), st.integers(1, 99)),
)
TEXTS = st.recursive(
    CONDITIONS,
    lambda some: st.one_of(
        st.lists(some, min_size=1, max_size=3).map(" ".join),
        st.lists(some, min_size=1, max_size=3).map(lambda parts: f"({' OR '.join(parts)})"),
        some.map(lambda one: f"NOT ({one})"),
    ),
    max_leaves=8,
)


@given(TEXTS)
def test_a_query_that_was_read_is_told_so_that_it_is_read_the_same(text: str) -> None:
    try:
        tree = parse_query(text)
    except QueryInvalid:
        return
    assert parse_query(render_query(tree)) == tree


@given(st.text(st.sampled_from('ab:()"|-*@~<>=. \nlabelORNOT0129'), max_size=40))
def test_any_text_is_read_or_refused_within_it(text: str) -> None:
    try:
        tree = parse_query(text)
    except QueryInvalid as refused:
        place = refused.place
    else:
        place = 0
        assert parse_query(render_query(tree)) == tree
    assert 0 <= place <= len(text)
