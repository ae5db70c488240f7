"""The command line of the private servers, as far as it goes without starting one."""

import json
from pathlib import Path

import pytest

from dev.servers.__main__ import client_environment, main
from windmill.core.settings import Settings


@pytest.fixture(autouse=True)
def nothing_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DB_HOST", "QUEUE_HOST"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "empty.env").touch()
    monkeypatch.setenv("ENV_FILE", str(tmp_path / "empty.env"))


@pytest.mark.parametrize(
    "arguments", [[], ["begin"], ["up", "--only", "mysql"], ["up", "--wipe"], ["down", "--stat", "x"]]
)
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_status_of_an_instance_that_never_was_can_be_piped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--state", str(tmp_path / "none"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(each["server"], each["running"]) for each in found] == [("postgres", False), ("rabbitmq", False)]


def test_psql_without_a_server_says_how_to_start_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["psql", "--state", str(tmp_path / "none")]) == 2
    said = capsys.readouterr().err
    assert "no private PostgreSQL runs here" in said
    assert "make up" in said


def test_psql_whose_server_has_died_says_so_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "local.env").write_text("DB_HOST=127.0.0.1\nDB_PORT=1\n")
    assert main(["psql", "--state", str(tmp_path)]) == 2
    assert "make up" in capsys.readouterr().err


def test_down_when_nothing_runs_is_fine(tmp_path: Path) -> None:
    assert main(["down", "--state", str(tmp_path / "none")]) == 0
    assert not (tmp_path / "none").exists()


def test_a_named_server_that_does_not_answer_is_an_error_without_a_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DB_HOST", "127.0.0.1")
    monkeypatch.setenv("DB_PORT", "1")
    assert main(["up", "--state", str(tmp_path / "state"), "--only", "postgres"]) == 1
    assert "DB_HOST=127.0.0.1 DB_PORT=1: nothing answers there" in capsys.readouterr().err


def test_a_state_directory_that_cannot_be_made_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["up", "--state", str(tmp_path / "file" / "state")]) == 1
    assert str(tmp_path / "file") in capsys.readouterr().err


def test_psql_is_told_everything_about_the_database_but_nothing_empty() -> None:
    settings = Settings.from_env({"DB_HOST": "db.example", "DB_PORT": "5433", "DB_PASSWORD": "secret"})
    found = client_environment(settings)
    assert (found["PGHOST"], found["PGPORT"], found["PGPASSWORD"]) == ("db.example", "5433", "secret")
    assert "PGPASSWORD" not in client_environment(Settings.from_env({}))


def test_psql_is_told_of_all_servers_and_goes_to_the_one_that_takes_rows() -> None:
    found = client_environment(Settings.from_env({"DB_HOST": "a,[fd00::1]:5433"}))
    assert (found["PGHOST"], found["PGPORT"]) == ("a,fd00::1", "5432,5433")
    assert found["PGTARGETSESSIONATTRS"] == "read-write"
