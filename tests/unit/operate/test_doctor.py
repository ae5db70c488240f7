"""How the doctor asks, what it shows, and what it makes of settings."""

import asyncio
from pathlib import Path

import pytest

from tests.waiting import forever
from windmill.core.errors import DataRefused, Problem, WindmillError
from windmill.core.settings import Settings, defaults
from windmill.operate.doctor import render
from windmill.operate.doctor import settings as configuration
from windmill.operate.doctor.examination import select_services
from windmill.operate.doctor.findings import Area, DoctorFinding, collect, ok, problem, skipped, warning
from windmill.operate.doctor.settings import LoadedSettings
from windmill.operate.doctor.threads import in_thread

FINDINGS = [ok("broker", "connect", "fine"), problem("broker", "alarms", "disk\nis\x1b[2J full", "free it")]


def test_a_finding_is_one_line_and_its_remedy_another() -> None:
    assert render.render_findings_text(FINDINGS, colours=False).splitlines() == [
        "broker",
        "  ok       connect  fine",
        "  problem  alarms   disk is?[2J full",
        "           remedy: free it",
        "1 ok, 0 warnings, 1 problem",
    ]


def test_a_remedy_that_findings_share_stands_once_beneath_them() -> None:
    away = [problem("services", name, "refused", "start it") for name in ("blip", "clip", "face")]
    text = render.render_findings_text([*away, problem("services", "ocr", "slow", "wait")], colours=False)
    assert text.splitlines()[3:6] == [
        "  problem  face  refused",
        "           remedy: start it",
        "  problem  ocr   slow",
    ]
    assert text.count("start it") == 1


def test_colours_are_shown_only_when_they_are_asked_for() -> None:
    assert "\x1b[31mproblem\x1b[0m" in render.render_findings_text(FINDINGS, colours=True)
    assert "\x1b" not in render.render_findings_text(FINDINGS, colours=False)


def test_the_json_has_every_part_of_a_finding() -> None:
    assert render.render_findings_json([warning("machine", "clock", "late", "set it")]) == [
        {"area": "machine", "name": "clock", "state": "warning", "found": "late", "remedy": "set it"}
    ]


async def failing(error: Exception) -> list[DoctorFinding]:
    raise error


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (WindmillError("BROKER_UNAVAILABLE", "it is away"), "it is away"),
        (DataRefused("no"), "no"),
        (KeyError("oops"), "the test itself failed: KeyError('oops')"),
    ],
)
async def test_a_test_that_fails_is_a_problem_and_hides_no_other(error: Exception, says: str) -> None:
    [finding] = await collect("broker", "connect", 1, failing(error))
    assert (finding.state, finding.found) == ("problem", says)
    assert finding.remedy


async def test_a_test_that_takes_too_long_is_a_problem() -> None:
    async def hang() -> list[DoctorFinding]:
        await forever()
        return []

    async with asyncio.timeout(5):
        [finding] = await collect("broker", "connect", 0.01, hang())
    assert finding.found == "no answer within 0.01 s"


async def test_a_thread_hands_over_its_value_or_its_error() -> None:
    assert await in_thread(lambda: 5) == 5
    with pytest.raises(ValueError, match="invalid literal"):
        await in_thread(lambda: int("x"))


def test_what_is_not_asked_is_a_warning_with_its_reason() -> None:
    finding = skipped("topology", "queues", "the broker is unavailable")
    assert (finding.state, finding.found) == ("warning", "not asked because the broker is unavailable")


@pytest.mark.parametrize(
    ("name", "invalid"),
    [
        ("QUEUE_PORT", ["broker", "topology"]),
        ("RETRY_DELAYS", ["topology"]),
        ("DB_PORT", ["database", "images"]),
        ("ARTIFACTS_URL", ["images", "artifacts"]),
        ("AZURE_STORAGE_ENDPOINT", ["images", "artifacts"]),
        ("SERVICE_PORT_OFFSET", ["topology", "services"]),
        ("LOG_LEVEL", []),
    ],
)
def test_a_wrong_setting_keeps_only_the_areas_that_need_it_from_being_asked(name: str, invalid: list[str]) -> None:
    loaded = LoadedSettings(Settings.from_env({}), (Problem(name, "x", "must be y"),))
    areas: tuple[Area, ...] = ("broker", "topology", "database", "services", "images", "artifacts", "machine")
    assert [area for area in areas if loaded.invalid_for(area)] == invalid


@pytest.fixture
def _nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the developer's own decides a test."""
    for name in defaults():
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("_nothing_named")
def test_each_wrong_setting_is_a_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "own.env"
    file.write_text("QUEUE_PORT=many\nDB_SSLMODE=verify-full\nDB_NAME=pictures\nLOG_FORMAT=json\n")
    monkeypatch.setenv("ENV_FILE", str(file))
    loaded = configuration.load()
    found = configuration.examine(loaded)
    assert [one.name for one in found if one.state == "problem"] == ["QUEUE_PORT", "DB_SSLROOTCERT"]
    assert loaded.settings
    assert loaded.settings.log_format == "json"
    assert loaded.invalid_for("broker") == ["QUEUE_PORT"]


def test_a_file_of_settings_that_cannot_be_read_is_a_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ENV_FILE", str(tmp_path / "gone.env"))
    loaded = configuration.load()
    assert loaded.settings is None
    assert [(one.state, one.name) for one in configuration.examine(loaded)] == [("problem", "ENV_FILE")]
    assert loaded.invalid_for("database") == ["ENV_FILE"]


@pytest.mark.parametrize(("mode", "state"), [(0o644, "warning"), (0o640, "ok"), (0o600, "ok")])
def test_a_file_with_passwords_is_not_for_everybody(tmp_path: Path, mode: int, state: str) -> None:
    file = tmp_path / ".env"
    file.write_text("DB_PASSWORD=secret\n")
    file.chmod(mode)
    [finding] = configuration.check_permissions(file)
    assert finding.state == state
    assert "secret" not in finding.found
    assert (f"chmod 600 {file}" in finding.remedy) is (state == "warning")


def test_a_file_without_passwords_may_be_read_by_everybody(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("DB_HOST=db\nDB_PASSWORD=\n")
    file.chmod(0o644)
    assert configuration.check_permissions(file) == []


def test_the_origin_of_settings_is_told_by_file() -> None:
    merged = {"DB_HOST": "a", "DB_PORT": "1", "QUEUE_HOST": "b", "HOME": "/h"}
    told = configuration.render_origins(merged, {Path("/x/.env"): {"DB_HOST": "a", "DB_PORT": "2"}})
    assert told.startswith("1 from /x/.env, 2 from the process environment, ")


def test_the_services_of_this_machine_are_looked_at_unless_others_are_named() -> None:
    mine = Settings.from_env({"SERVICE_NAME": "pose,face"})
    assert [one.name for one in select_services(mine, None).services] == ["face", "pose"]
    assert [one.name for one in select_services(mine, "clip").services] == ["clip"]
    unnamed = Settings.from_env({})
    assert select_services(unnamed, None).services == select_services(unnamed, "all").services


def test_a_fleet_that_cannot_be_read_is_a_problem_and_a_wrong_request_a_mistake(tmp_path: Path) -> None:
    broken = select_services(Settings.from_env({"SERVICE_CONFIG": str(tmp_path / "no.json")}), None)
    assert [one.name for one in broken.problems] == ["SERVICE_CONFIG"]
    misspelt = select_services(Settings.from_env({"SERVICE_NAME": "yolo"}), None)
    assert "did you mean" in misspelt.problems[0].remedy
    with pytest.raises(WindmillError, match="unknown service"):
        select_services(Settings.from_env({}), "yolo")
