"""The held-out fleets: the same every time, and out of reach of whatever fits constants."""

import ast
from pathlib import Path

import pytest

from bench.accuracy.fleets import DETECTORS, all_answers, examples
from bench.accuracy.held_out import FIRST_SEED_FOR_FITTING, HELD_OUT

_ROOT = Path(__file__).parents[3]
_MAY_READ = {"bench/accuracy/fleets.py", "bench/accuracy/held_out.py", "bench/accuracy/held_out_words.py"}


@pytest.mark.parametrize("fleet", HELD_OUT)
def test_a_held_out_fleet_answers_the_same_way_every_time(fleet: str) -> None:
    first, again = list(examples(fleet, 3, 1)), list(examples(fleet, 3, 1))
    assert [one.answers for one in first] == [one.answers for one in again]
    assert all(set(one.answers) == set(DETECTORS) for one in first)
    assert sum(len(one.labels) for one in first) > 0


@pytest.mark.parametrize("fleet", HELD_OUT)
def test_a_held_out_fleet_has_no_scenes_among_the_seeds_that_fitting_uses(fleet: str) -> None:
    with pytest.raises(ValueError, match="held out"):
        next(examples(fleet, 1, FIRST_SEED_FOR_FITTING))
    with pytest.raises(ValueError, match="held out"):
        next(all_answers(fleet, 1, FIRST_SEED_FOR_FITTING))


def test_no_module_but_the_fleets_imports_a_held_out_fleet() -> None:
    readers = {
        str(path.relative_to(_ROOT))
        for package in ("windmill", "bench", "postprocessors", "dev")
        for path in (_ROOT / package).rglob("*.py")
        if any(module.startswith("bench.accuracy.held_out") for module in _imported(path))
    }
    assert readers <= _MAY_READ


def _imported(path: Path) -> list[str]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
