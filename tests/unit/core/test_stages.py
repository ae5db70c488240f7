"""The table of stages, and what has to agree with it."""

import re
from importlib import import_module
from typing import get_args

import pytest

from windmill.core.settings import ROOT
from windmill.core.stages import STAGES, Stage, StageSpec
from windmill.storage.queries import queries

MIGRATIONS = [file.read_text(encoding="utf-8") for file in sorted((ROOT / "sql" / "migrations").glob("*.sql"))]
each_stage = pytest.mark.parametrize(("stage", "spec"), STAGES.items(), ids=list(STAGES))


def words(listed: str) -> list[str]:
    return re.findall(r"'(\w+)'", listed)


def stages_compared_in(sql: str) -> set[str]:
    """The stages that a statement spells out."""
    found = re.findall(r"\bstage\s*(?:=|<>)\s*('\w+')|\bstage\s+(?:NOT )?IN \(([^)]*)\)", sql)
    return {word for pair in found for part in pair for word in words(part)}


def names_allowed() -> dict[str, list[str]]:
    """For each table with a CHECK on stages those that the last migration to say so lets in."""
    allowed = {}
    for statement in (part for text in MIGRATIONS for part in text.split(";")):
        table = re.search(r"\b(?:CREATE|ALTER) TABLE (\w+)", statement)
        check = re.search(r"CHECK \(stage IN \(([^)]*)\)\)", statement)
        if table and check:
            allowed[table[1]] = words(check[1])
    return allowed


def trigger_functions() -> dict[str, str]:
    """As the last migration to define each has it."""
    found = re.findall(
        r"CREATE (?:OR REPLACE )?FUNCTION (mark_by_\w+)\(\)(.*?)\n\$\$;", "\n".join(MIGRATIONS), re.DOTALL
    )
    return dict(found)


def test_the_type_of_a_stage_names_those_of_the_table_in_their_order() -> None:
    assert get_args(Stage) == tuple(STAGES)


def test_the_database_lets_in_these_stages_and_no_others() -> None:
    assert {table: sorted(names) for table, names in names_allowed().items()} == {
        table: sorted(STAGES) for table in ("stages", "stale")
    }


def test_triggers_spell_no_stage_that_is_not_in_the_table() -> None:
    functions = trigger_functions()
    sources = {"results", "merged_boxes", "other_boxes", "postprocessing", "votes"}
    assert set(functions) == {f"mark_by_{one}" for one in sources}
    assert {word for body in functions.values() for word in words(body)} <= set(STAGES)


@each_stage
def test_a_stage_awaits_none_but_those_before_it(stage: Stage, spec: StageSpec) -> None:
    before = list(STAGES)[: list(STAGES).index(stage)]
    assert set(spec.awaits_stages) <= set(before)
    assert spec.awaits_services_of in (*before, stage)


@each_stage
def test_the_queries_of_a_stage_are_there_and_take_what_they_are_given(stage: Stage, spec: StageSpec) -> None:
    named = {name: queries()[name] for name in (spec.looked_at_query, spec.stale_query, spec.forget_query) if name}
    given = {name: max(map(int, re.findall(r"\$(\d)", statement))) for name, statement in named.items()}
    assert given.pop(spec.looked_at_query) == 1
    assert given.pop(spec.stale_query) == 2 + spec.calibrated
    assert set(given.values()) <= {2}
    assert stages_compared_in(named[spec.stale_query]) == {stage}


def test_no_query_spells_a_stage_but_that_which_finds_its_stale_images() -> None:
    of_a_stage = {spec.stale_query for spec in STAGES.values()}
    assert {name for name, statement in queries().items() if stages_compared_in(statement)} == of_a_stage


@each_stage
def test_the_module_of_a_stage_runs_that_stage(stage: Stage, spec: StageSpec) -> None:
    module = import_module(spec.module)
    classes = [one for one in vars(module).values() if getattr(one, "__module__", None) == spec.module]
    assert callable(module.make_runner)
    assert [one.stage for one in classes if isinstance(getattr(one, "stage", None), str)] == [stage]


def test_the_numbers_of_what_is_derived_name_every_stage() -> None:
    sql = (ROOT / "sql" / "monitoring" / "derived.sql").read_text(encoding="utf-8")
    assert words(sql) == list(STAGES)


def test_the_installer_takes_the_post_processor_of_every_stage() -> None:
    script = (ROOT / "deploy" / "install.sh").read_text(encoding="utf-8")
    (taken,) = re.findall(r"is_postprocessor\(\) \{\n +case \$1 in\n +([^)]*)\)", script)
    assert set(taken.split(" | ")) == {"all", *(spec.program for spec in STAGES.values())}
