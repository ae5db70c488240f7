"""What people want of services and steps: whose pause counts, and whose concurrency."""

from windmill.core.wanted_states import EVERYTHING, WantedState, WantedStates

NIGHT = WantedState("clip", paused=True, reason="at night", owner="ann", concurrency=3, version=2)
ALL = WantedState(EVERYTHING, paused=True, reason="upgrade", owner="bob")


def test_a_service_is_paused_by_itself_before_it_is_by_everything() -> None:
    wanted = WantedStates.of([NIGHT, ALL])
    assert wanted.pause_of("clip") == NIGHT
    assert wanted.pause_of("ocr") == ALL
    assert WantedStates.of([NIGHT]).pause_of("ocr") is None
    assert WantedStates.of([WantedState("clip", concurrency=1)]).pause_of("clip") is None


def test_concurrency_is_that_of_the_service_alone() -> None:
    wanted = WantedStates.of([NIGHT, WantedState(EVERYTHING, concurrency=9)])
    assert (wanted.concurrency_of("clip"), wanted.concurrency_of("ocr")) == (3, None)


def test_what_nobody_ever_changed_has_the_version_0() -> None:
    assert WantedStates().own("ocr") == WantedState("ocr")
    assert (WantedStates().own("ocr").version, WantedStates.of([NIGHT]).own("clip").version) == (0, 2)
