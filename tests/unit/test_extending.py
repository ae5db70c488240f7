"""What docs/extending.md lets people write is accepted, and its tables are complete."""

import json
import re
from dataclasses import fields

from tests.unit.examples import example
from windmill.core.services import Service, parse_fleet
from windmill.core.settings import ROOT
from windmill.core.stages import STAGES

SHIPPED = json.loads((ROOT / "service_config.json").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
ENTRY = json.loads("{" + example("extending.md", '"plants":') + "}")


def test_the_entry_of_the_example_joins_the_shipped_fleet() -> None:
    others = {name: one for name, one in SHIPPED["services"].items() if name not in ENTRY}
    fleet = parse_fleet({**SHIPPED, "services": {**others, **ENTRY}})
    assert "plants" in fleet.sets["all"]
    assert fleet.feeding("consensus")[-1] == "plants"


def test_the_commands_about_the_example_name_its_port() -> None:
    assert re.findall(r"localhost:(\d+) --service plants", PAGE) == [str(ENTRY["plants"]["port"])]


def test_every_key_of_an_entry_is_described_with_its_default() -> None:
    rows = dict(re.findall(r"^   \| `(\w+)` \|(.*)", PAGE, re.MULTILINE))
    assert rows.keys() == {one.name for one in fields(Service)} - {"name", "foreign"} | {"url"}
    told = {key: rows[key].split("|")[0].strip(" `") for key in SHIPPED["defaults"]}
    shown = {key: ", ".join(value) or "none" if isinstance(value, list) else str(value)
             for key, value in SHIPPED["defaults"].items()}  # fmt: skip
    assert told == shown


def test_the_migration_of_the_example_keeps_every_stage() -> None:
    lists = re.findall(r"CHECK \(stage IN \(([^)]*)\)\)", example("extending.md", "CREATE TABLE captions"))
    assert [set(re.findall(r"'(\w+)'", one)) for one in lists] == [{*STAGES, "captions"}] * 2
