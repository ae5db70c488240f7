"""The name that somebody meant who misspelt it."""

from windmill.kernels.text.near_names import did_you_mean, near_name

KNOWN = {"strength": 1, "size": 2, "glaze": 3}


def test_the_name_that_is_most_alike_is_asked_for() -> None:
    assert near_name("sise", KNOWN) == "size"
    assert did_you_mean("stregth", KNOWN) == "did you mean 'strength'? "


def test_nothing_is_asked_where_no_name_is_near() -> None:
    assert (near_name("colour", KNOWN), did_you_mean("colour", KNOWN)) == (None, "")
    assert near_name("glass", KNOWN, alike=0.9) is None
    assert did_you_mean("", KNOWN) == ""
