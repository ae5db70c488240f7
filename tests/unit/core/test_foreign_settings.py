"""Variables of systems that people come from: translated where they have a meaning here, and told where not."""

import re
from pathlib import Path
from typing import get_args

import pytest

from windmill.core.errors import ConfigInvalid
from windmill.core.foreign_settings import FOREIGN, notes, translated
from windmill.core.settings import ROOT, Settings, defaults, environment, misspelt
from windmill.jobs.states import JobStatus
from windmill.operate.doctor.settings import judge_foreign

PAGE = (ROOT / "docs" / "coming-from.md").read_text(encoding="utf-8")
MINIO = {"MINIO_ENDPOINT": "store", "MINIO_BUCKET": "films", "MINIO_ACCESS_KEY": "me", "MINIO_SECRET_KEY": "s3cret"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("amqp://ann:p%40ss@mq.example:5673/films", ("mq.example", 5673, "ann", "p@ss", "films", False)),
        ("amqps://ann:pw@mq.example", ("mq.example", 5671, "ann", "pw", "/", True)),
        ("amqp://mq.example/", ("mq.example", 5672, "guest", "guest", "/", False)),
        ("amqp://mq.example/%2F", ("mq.example", 5672, "guest", "guest", "/", False)),
    ],
)
def test_a_url_of_rabbitmq_names_the_server_and_the_account(url: str, expected: tuple[object, ...]) -> None:
    found = Settings.from_env(translated({"RABBITMQ_URL": url}))
    names = ("queue_host", "queue_port", "queue_user", "queue_password", "queue_vhost", "queue_tls")
    assert tuple(getattr(found, name) for name in names) == expected


@pytest.mark.parametrize("url", ["http://ann:s3cret@mq", "amqp://", "amqp://ann:s3cret@mq:port/", "mq.example:5672"])
def test_a_url_that_is_none_of_rabbitmq_is_refused_and_never_shown(url: str) -> None:
    with pytest.raises(ConfigInvalid, match=r"RABBITMQ_URL='\*\*\*': must be amqp://") as refused:
        translated({"RABBITMQ_URL": url})
    assert "s3cret" not in str(refused.value)


def test_a_server_that_is_set_by_our_own_names_wins_whole() -> None:
    assert translated({"RABBITMQ_URL": "amqp://ann:pw@other/", "QUEUE_HOST": "mine"}) == {}
    assert "QUEUE_USER" not in translated({"RABBITMQ_URL": "amqp://ann:pw@other/", "QUEUE_USER": "ben"})
    assert translated({**MINIO, "ARTIFACTS_URL": "var/artifacts"}) == {}
    assert translated({**MINIO, "AWS_ENDPOINT_URL": "https://other"}) == {}


@pytest.mark.parametrize(
    ("more", "endpoint"),
    [
        ({}, "http://store:9000"),
        ({"MINIO_PORT": "9100", "MINIO_USE_SSL": "true"}, "https://store:9100"),
        ({"MINIO_PORT": "tcp://10.0.0.7:9000"}, "http://store:9000"),
        ({"MINIO_ENDPOINT": "store:9200"}, "http://store:9200"),
        ({"MINIO_ENDPOINT": "https://store.example/"}, "https://store.example"),
    ],
)
def test_the_variables_of_minio_make_the_store_of_artifacts(more: dict[str, str], endpoint: str) -> None:
    found = Settings.from_env(translated({**MINIO, **more}))
    assert str(found.artifacts_url) == "s3://films/"
    assert (found.aws_endpoint_url, found.aws_access_key_id, found.aws_secret_access_key) == (endpoint, "me", "s3cret")


def test_minio_without_a_bucket_is_refused_and_a_port_alone_says_nothing() -> None:
    with pytest.raises(ConfigInvalid, match="MINIO_BUCKET"):
        translated({"MINIO_ENDPOINT": "store"})
    assert translated({"MINIO_PORT": "tcp://10.0.0.7:9000"}) == {}
    with pytest.raises(ConfigInvalid, match="MINIO_ENDPOINT"):
        translated({**MINIO, "MINIO_ENDPOINT": "a b"})


def test_they_are_read_from_the_file_of_settings_and_hide_private_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [*defaults(), *FOREIGN]:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "my.env").write_text("RABBITMQ_URL=amqp://ann:pw@mq.example/\n")
    (tmp_path / "local.env").write_text("QUEUE_HOST=127.0.0.1\nQUEUE_PORT=7002\n")
    monkeypatch.setenv("ENV_FILE", str(tmp_path / "my.env"))
    found = Settings.from_env(environment(tmp_path / "local.env"))
    assert (found.queue_host, found.queue_port, found.queue_user) == ("mq.example", 5672, "ann")
    assert misspelt(["RABBITMQ_URL", "MONGO_URI", "REDIS_URL", "SUPABASE_URL", "DATABASE_FILE", *MINIO]) == []


def test_the_doctor_tells_what_each_is_good_for_and_shows_no_value() -> None:
    others = {"MONGO_URI": "mongodb://u:s3cret@h", "DATABASE_FILE": "a.db", "SUPABASE_KEY": "s3cret", "REDIS_URL": "r"}
    merged = {**others, "RABBITMQ_URL": "amqp://ann:pw@mq/", **translated({"RABBITMQ_URL": "amqp://ann:pw@mq/"})}
    found = {one.name: one for one in judge_foreign(merged)}
    assert {name: one.state for name, one in found.items()} == {
        "RABBITMQ_URL": "ok",
        **dict.fromkeys(others, "warning"),
    }
    assert all("has no use here" in found[name].found for name in others)
    assert "s3cret" not in str(found)
    (unused,) = notes({"RABBITMQ_URL": "amqp://mq/", "QUEUE_HOST": "mine"})
    assert (unused.useful, "QUEUE_HOST" in unused.said) == (False, True)


def test_the_page_has_every_variable_with_what_it_means_here() -> None:
    rows = dict(re.findall(r"^\| `([A-Z_]+\*?)` \| ([^|]*) \|$", PAGE, re.MULTILINE))
    plain = {name: said.replace("`", "") for name, said in rows.items() if name in FOREIGN}
    assert plain == dict(FOREIGN)
    assert {name for name in rows if name not in FOREIGN} <= defaults().keys()


def test_every_state_of_the_page_is_one_of_jobs() -> None:
    words = PAGE.partition("\n## Words\n")[2]
    named = set(re.findall(r"^\| `.*\| `(\w+)`", words, re.MULTILINE))
    assert named == {"queued", "running", "waiting", "succeeded", "failed"}
    assert named <= set(get_args(JobStatus))
