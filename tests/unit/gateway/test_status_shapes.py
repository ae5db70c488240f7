"""The status outside has a place for all that there is."""

from dataclasses import fields

from gateway.status.shapes import StepLine
from windmill.operate.status.figures import StepStatus


def test_a_step_is_told_with_all_of_its_figures() -> None:
    assert list(StepLine.model_fields) == [one.name for one in fields(StepStatus)]
