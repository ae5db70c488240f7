"""What of a page is sent again while somebody looks at it."""

from collections.abc import Sequence
from functools import partial

from gateway.pages.live_pieces import Piece, Pieces, news, read_seen


def rows(*texts: str, region: str = "rows") -> list[Piece]:
    pieces = Pieces()
    for number, text in enumerate(texts):
        pieces(f"r{number}", region, "tr", caller=partial(str, text))
    return pieces.found


def header(pieces: Sequence[Piece], region: str = "rows") -> str:
    return f"{region}:" + ",".join(f"{one.key}={one.digest}" for one in pieces)


def test_a_piece_is_an_element_with_a_digest_of_what_it_shows() -> None:
    pieces = Pieces()
    html = pieces("a<b", "rows", "td", caller=lambda: " 1 ", class_="n", aria_label='"x"')
    digest = pieces.found[0].digest
    assert html == f'<td id="a&lt;b" data-v="{digest}" class="n" aria-label="&#34;x&#34;">1</td>'
    other = rows("1")[0].digest
    assert other == rows(" 1 ")[0].digest != rows("2")[0].digest


def test_only_what_differs_is_sent() -> None:
    before, after = rows("a", "b", "c"), rows("a", "B", "c")
    told = news(after, read_seen(header(before)))
    assert (list(told["pieces"]), told["order"], told["more"]) == (["r1"], {}, "")
    same = news(after, read_seen(header(after)))
    assert (same["pieces"], same["order"]) == ({}, {})


def test_the_keys_of_a_region_are_sent_if_some_came_or_went() -> None:
    three, two = rows("a", "b", "c"), rows("a", "b")
    assert news(two, read_seen(header(three)))["order"] == {"rows": ["r0", "r1"]}
    assert news(three, read_seen(header(two)))["order"] == {"rows": ["r0", "r1", "r2"]}
    assert news([], read_seen(header(two)))["order"] == {"rows": []}


def test_what_has_no_room_comes_with_the_next_answer_and_none_starves() -> None:
    pieces = rows("x" * 40, "y" * 40, "z" * 40)
    seen = read_seen(header(rows("", "", "")))
    first = news(pieces, seen, most=100)
    second = news(pieces, seen, first["more"], most=100)
    assert (list(first["pieces"]), list(second["pieces"])) == (["r0"], ["r1"])
    assert list(news(pieces, seen, "r2", most=100)["pieces"]) == ["r0"]
    assert list(news(pieces, seen, most=1)["pieces"]) == ["r0"], "one that is larger than all room is sent alone"


def test_a_key_whose_piece_had_no_room_is_not_named_yet() -> None:
    told = news(rows("x" * 40, "y" * 40), read_seen("rows:"), most=100)
    assert told["order"] == {"rows": ["r0"]}


def test_nonsense_in_the_header_is_left_out() -> None:
    assert read_seen("") == {}
    assert read_seen("nothing;rows:a=1,,b;:c=2") == {"rows": {"a": "1", "b": ""}, "": {"c": "2"}}
