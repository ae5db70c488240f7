"""How a query is carried out: by the counts of the dictionary, never by reading all rows."""

import pytest

from windmill.kernels.query.parser import parse_query
from windmill.kernels.query.tree import ColourTerm, LabelTerm, Leaf, Span, leaves
from windmill.storage.search.conditions import Conditions
from windmill.storage.search.plans import plan_of
from windmill.storage.search.terms import KnownTerm, KnownTerms, escape_like, is_rare

MILLION = 1_000_000
COUNTS: dict[Leaf, KnownTerm] = {
    LabelTerm("often"): KnownTerm((1,), 300_000),
    LabelTerm("seldom"): KnownTerm((2,), 900),
    LabelTerm("never"): KnownTerm((), 0),
    ColourTerm("red"): KnownTerm((3,), 90_000),
}
TAKEN: dict[Leaf, int] = {
    one: images
    for text, images in (("taken:2024", 10_001), ("taken:2024-05", 7_000), ("taken:1999", 0))
    for one in leaves(parse_query(text))
}
KNOWN = KnownTerms(MILLION, COUNTS, TAKEN)


@pytest.mark.parametrize(
    ("text", "kind", "has_index"),
    [
        ("", "walk", False),
        ("label:often", "walk", True),
        ("label:seldom", "rare", True),
        ("label:seldom label:often persons:2", "rare", True),
        ("label:never", "nothing", False),
        ("label:often label:never", "nothing", True),
        ("label:seldom OR label:never", "rare", True),
        ("label:seldom OR persons:2", "walk", False),
        ("label:seldom OR text:word", "walk", True),
        ("-label:often", "walk", False),
        ("-label:never", "walk", False),
        ("persons:2 text:word", "walk", True),
        ("text:~part", "walk", False),
        ("colour:red taken:2024", "walk", True),
        ("label:often taken:2024-05 faces:2", "rare", True),
        ("taken:2024-05 OR taken:2024", "walk", True),
        ("label:often taken:1999", "nothing", True),
    ],
)
def test_what_is_rare_is_found_by_its_index_and_what_is_frequent_by_a_walk(
    text: str, kind: str, has_index: bool
) -> None:
    plan = plan_of(parse_query(text), KNOWN, substrings=False)
    assert plan.kind == kind
    assert kind == "nothing" or plan.has_index == has_index


def test_parts_of_words_have_an_index_where_somebody_made_one() -> None:
    assert plan_of(parse_query("text:~part"), KNOWN, substrings=True).has_index


@pytest.mark.parametrize(("of", "most"), [(100, 100), (MILLION, 10_000), (100 * MILLION, 100_000)])
def test_of_more_images_a_smaller_share_is_rare(of: int, most: int) -> None:
    assert is_rare(most, of)
    assert not is_rare(most + 1, of)


def test_a_walk_goes_only_through_the_group_and_the_ids_that_are_asked_for() -> None:
    plan = plan_of(parse_query("group:trip id:5.. id:..900 id:7..2000"), KNOWN, substrings=False)
    assert (plan.group, plan.ids) == ("trip", Span(7, 900))


def test_no_index_is_asked_for_what_is_much_more_frequent_than_the_rarest_condition() -> None:
    query = parse_query("label:often label:seldom colour:red")
    assert Conditions(KNOWN).compile(query).count("IS TRUE") == 0
    led = Conditions(KNOWN, led_to=900).compile(query)
    assert led.count("IS TRUE") == 2
    assert "s.labels && $2::integer[]) AND" in led
    assert Conditions(KNOWN, led_to=9_000).compile(query).count("IS TRUE") == 1


def test_what_people_write_is_in_no_statement() -> None:
    query = parse_query("""group:"a'; DROP TABLE images" text:"x'y" text:"stop's"* text:~%_ab -id:1..2""")
    conditions = Conditions(KNOWN)
    statement = conditions.compile(query)
    assert "DROP" not in statement
    assert "stop" not in statement
    assert statement.count("$") == len(conditions.parameters)
    assert "%\\%\\_ab%" in conditions.parameters


def test_signs_of_like_stand_for_themselves() -> None:
    assert escape_like("50%_\\") == "50\\%\\_\\\\"
