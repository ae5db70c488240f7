"""All phrases in one pass."""

from hypothesis import given
from hypothesis import strategies as some

from windmill.kernels.text.token_automaton import TokenAutomaton, TokenMatch

WORD = some.sampled_from("abc")


@given(some.lists(some.lists(WORD, min_size=1, max_size=4).map(tuple), max_size=8, unique=True), some.lists(WORD))
def test_it_finds_what_looking_at_each_place_finds(phrases: list[tuple[str, ...]], tokens: list[str]) -> None:
    expected = {
        TokenMatch(at, at + len(phrase), number)
        for number, phrase in enumerate(phrases)
        for at in range(len(tokens))
        if tuple(tokens[at : at + len(phrase)]) == phrase
    }
    found = list(TokenAutomaton(phrases).matches(tokens))
    assert set(found) == expected
    assert len(found) == len(expected)
