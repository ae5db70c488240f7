"""Settings: the layers they come from, their example, and who reads them."""

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest
from dotenv import dotenv_values

from windmill.core import settings as module
from windmill.core.errors import ConfigInvalid
from windmill.core.settings import ROOT, Settings, defaults, environment, load_settings, misspelt

EXAMPLE = ROOT / ".env.example"
PROGRAMS = ("windmill", "producers", "workers", "postprocessors", "dev", "farm", "deploy", "bench")
"""Where our own code lies."""
READING = {"environ", "environb", "getenv", "getenvb"}
READ_IT_THEMSELVES = {
    "windmill/engines/process/child_runner.py": "hands all of what it was given on to the program that it starts",
    "dev/servers/__main__.py": "hands all of it on to psql, which takes the place of the process",
    "bench/nginx.py": "looks for nginx on PATH, and for where unpacked packages are kept",
    "bench/peers/environment.py": "programs that are compared take no arguments of ours",
    "bench/producer_memory.py": "hands all of it on to the producer that it measures",
    "bench/worker_process.py": "hands three variables on to the workers that it measures, and no setting of the user's",
    "bench/chain_environment.py": "processes that run a chain are told by it how many tasks they may run at once",
    "bench/chain_worker.py": "a worker of ours among those processes; takes its settings from what the bench hands on",
    "bench/peers/celery_chain.py": "is started by a program that takes no arguments of ours",
    "bench/peers/dbos_chain.py": "is one of the processes that run a chain, and is told where its servers are",
    "bench/peers/procrastinate_chain.py": "is one of them, too",
    "bench/talk/accuracy.py": "holds libraries of models to one thread, and hands all of it on to the engine",
    "bench/talk/length.py": "holds them to one thread, too",
    "dev/voices/speakers.py": "hands all of it on to the programs that speak, and looks for where downloads are kept",
}


@pytest.fixture
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty `.env`, in an environment that names none of our variables."""
    for name in defaults():
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "my.env"
    path.write_text("")
    monkeypatch.setenv("ENV_FILE", str(path))
    return path


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """What `make up` would have written."""
    path = tmp_path / "local.env"
    path.write_text("DB_HOST=/run/private\nDB_PORT=7001\nDB_PASSWORD=found\nQUEUE_HOST=127.0.0.1\nQUEUE_PORT=7002\n")
    return path


def test_the_environment_wins_over_env_which_wins_over_local_env(
    env_file: Path, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.write_text("LOG_LEVEL=ERROR\nBATCH_ROWS=1\nMAX_RETRIES=1\n")
    env_file.write_text("BATCH_ROWS=2\nMAX_RETRIES=2\n")
    monkeypatch.setenv("MAX_RETRIES", "3")
    found = Settings.from_env(environment(local))
    assert (found.log_level, found.batch_rows, found.max_retries) == ("ERROR", 2, 3)


def test_the_private_servers_are_used_where_the_user_names_none(env_file: Path, local: Path) -> None:
    found = Settings.from_env(environment(local))
    assert (found.db_host, found.db_port, found.db_password) == ("/run/private", 7001, "found")
    assert (found.queue_host, found.queue_port) == ("127.0.0.1", 7002)


@pytest.mark.parametrize("layer", ["environment", "file"])
def test_a_database_that_the_user_names_takes_nothing_from_the_private_one(
    env_file: Path, local: Path, monkeypatch: pytest.MonkeyPatch, layer: str
) -> None:
    if layer == "file":
        env_file.write_text("DB_HOST=db.example\n")
    else:
        monkeypatch.setenv("DB_HOST", "db.example")
    found = Settings.from_env(environment(local))
    assert (found.db_host, found.db_port, found.db_password) == ("db.example", 5432, "")
    assert (found.queue_host, found.queue_port) == ("127.0.0.1", 7002), "the broker is another server"


def test_a_broker_that_the_user_names_takes_nothing_from_the_private_one(
    env_file: Path, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUEUE_HOST", "mq.example")
    found = Settings.from_env(environment(local))
    assert (found.queue_host, found.queue_port) == ("mq.example", 5672)
    assert found.db_host == "/run/private"


def test_without_a_local_env_the_defaults_hold(env_file: Path, tmp_path: Path) -> None:
    assert Settings.from_env(environment(tmp_path / "none.env")) == Settings.from_env({})


def test_a_dollar_in_a_password_is_a_dollar(env_file: Path, local: Path) -> None:
    env_file.write_text("DB_PASSWORD=pa${HOME}$$word\n")
    assert Settings.from_env(environment(local)).db_password == "pa${HOME}$$word"


def test_env_file_must_name_a_file(env_file: Path, local: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENV_FILE", str(env_file) + ".missing")
    with pytest.raises(ConfigInvalid, match=r"ENV_FILE='.*my\.env\.missing': must name a file"):
        environment(local)


def test_an_env_file_that_is_no_text_is_a_problem_and_not_a_crash(env_file: Path, local: Path) -> None:
    env_file.write_bytes(b"DB_PASSWORD=\xff\xfe\n")
    with pytest.raises(ConfigInvalid, match=r"ENV_FILE=.*cannot be read"):
        environment(local)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("QUEUE_HOTS", "QUEUE_HOST"),
        ("QUEUE_PASS", "QUEUE_PASSWORD"),
        ("DB_PASS", "DB_PASSWORD"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("db_host", "DB_HOST"),
        ("RETRY_DELAY", "RETRY_DELAYS"),
    ],
)
def test_a_misspelt_setting_is_told_with_the_one_that_was_meant(name: str, meant: str) -> None:
    (problem,) = misspelt([name, "DB_HOST", "LOG_LEVEL"])
    assert str(problem) == f"{name}='***': is not a setting; did you mean {meant!r}?"


def test_variables_of_other_programs_may_stand_in_the_file() -> None:
    others = ["TZ", "COMPOSE_PROJECT_NAME", "POSTGRES_PASSWORD", "RABBITMQ_DEFAULT_USER", "PYTHONUNBUFFERED", "PRIVATE"]
    read_as_ours = ["PORT", "AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_KEY"]
    assert misspelt([*others, *read_as_ours, *defaults()]) == []


def test_misspelt_names_are_told_together_with_bad_values() -> None:
    with pytest.raises(ConfigInvalid) as refused:
        Settings.from_env({"QUEUE_PORT": "x"}, misspelt(["QUEUE_HOTS"]))
    assert [problem.name for problem in refused.value.problems] == ["QUEUE_HOTS", "QUEUE_PORT"]


def test_the_example_holds_exactly_the_variables_with_their_defaults() -> None:
    """Commented out, so that a copy of it names no server, and `make up` starts private ones."""
    lines = [line[1:] for line in EXAMPLE.read_text(encoding="utf-8").splitlines() if re.match(r"#[A-Z_]+=", line)]
    assert dict(line.split("=", 1) for line in lines) == defaults()
    assert dotenv_values(EXAMPLE) == {}


def test_every_variable_of_the_example_stands_under_a_comment() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    alone = [line for above, line in pairwise(lines) if re.match(r"#[A-Z_]+=", line) and not above.startswith("# ")]
    assert alone == []


def test_the_environment_is_read_in_one_module_only() -> None:
    files = [file for root in PROGRAMS for file in sorted((ROOT / root).rglob("*.py"))]
    assert {file.relative_to(ROOT).parts[0] for file in files} == set(PROGRAMS), "each of them is there"
    readers = {str(file.relative_to(ROOT)) for file in files if reads_the_environment(file.read_text(encoding="utf-8"))}
    assert readers == {str(Path(module.__file__).relative_to(ROOT)), *READ_IT_THEMSELVES}


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("import os\nhome = os.environ['HOME']", True),
        ("import os\ndef home(): return os.getenv('HOME')", True),
        ("import os as system\nhome = system.environb", True),
        ("import os.path\nhome = os.environ['HOME']", True),
        ("from os import environ as found", True),
        ("from os import path, getenv", True),
        ("import os\nhome = place.environ['HOME'], os.getpid()", False),
        ("# os.environ\nfrom os import path", False),
    ],
)
def test_a_reader_of_the_environment_is_known_by_any_spelling(source: str, reads: bool) -> None:
    assert reads_the_environment(source) is reads


def reads_the_environment(source: str) -> bool:
    nodes = list(ast.walk(ast.parse(source)))
    imported = [alias for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names = {alias.asname or "os" for alias in imported if re.match(r"os\b", alias.name)}
    of_os = {node.attr for node in nodes if isinstance(node, ast.Attribute) and ast.unparse(node.value) in names}
    from_os = {
        alias.name for node in nodes if isinstance(node, ast.ImportFrom) and node.module == "os" for alias in node.names
    }
    return not READING.isdisjoint(of_os | from_os)


def test_a_line_of_the_file_that_cannot_be_understood_is_told_but_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may hold a password, and what it was meant to set would keep its default in silence."""
    file = tmp_path / "bad.env"
    file.write_text('# fine\nLOG_LEVEL=DEBUG\nDB_PASSWORD s3cret"\n')
    monkeypatch.setenv("ENV_FILE", str(file))
    with pytest.raises(ConfigInvalid) as refused:
        load_settings()
    assert f"{file}, line 3" in str(refused.value)
    assert "s3cret" not in str(refused.value)
