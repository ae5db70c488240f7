"""Settings: their values, their checks, and the secrets that never leave them."""

from pathlib import Path

import pytest

from windmill.core.errors import ConfigInvalid
from windmill.core.settings import ROOT, Settings, secret_names


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """What `make up` would have written."""
    path = tmp_path / "local.env"
    path.write_text("DB_HOST=/run/private\nDB_PORT=7001\nDB_PASSWORD=found\nQUEUE_HOST=127.0.0.1\nQUEUE_PORT=7002\n")
    return path


def problems(environ: dict[str, str]) -> dict[str, tuple[str, str]]:
    with pytest.raises(ConfigInvalid) as refused:
        Settings.from_env(environ)
    return {problem.name: (problem.value, problem.allowed) for problem in refused.value.problems}


@pytest.mark.parametrize("name", ["QUEUE_HOST", "DB_HOST"])
@pytest.mark.parametrize("value", ["amqp://user:hunter22@mq.example:5672", "u:hunter22@mq.example", "//u:hunter22@h/"])
def test_a_password_where_a_host_belongs_is_refused_with_the_remedy_and_never_shown(name: str, value: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        Settings.from_env({name: value})
    (problem,) = caught.value.problems
    assert problem.name == name
    assert "those have settings of their own" in problem.allowed
    assert "hunter22" not in str(caught.value)


def test_without_any_variable_every_setting_has_a_default() -> None:
    found = Settings.from_env({})
    assert (found.queue_host, found.queue_port, found.queue_type) == ("localhost", 5672, "quorum")
    assert (found.db_host, found.db_name, found.db_password) == ("localhost", "windmill", "")
    assert found.service_name == ()
    assert found.retry_delays == (5.0, 10.0, 20.0)
    assert found.service_config == ROOT / "service_config.json"
    assert found.queue_tls is False
    assert found.queue_tls_ca is None


def test_all_problems_are_told_at_once_each_with_name_value_and_what_is_allowed() -> None:
    assert problems({"QUEUE_PORT": "rabbit", "LOG_LEVEL": "LOUD", "RETRY_DELAYS": "5,,7", "DB_HOST": " "}) == {
        "QUEUE_PORT": ("rabbit", "must be a whole number from 1 to 65535"),
        "LOG_LEVEL": ("LOUD", "must be one of DEBUG, INFO, WARNING, ERROR"),
        "RETRY_DELAYS": ("5,,7", "must be seconds separated by commas, such as 5,10,20"),
        "DB_HOST": (" ", "must not be empty"),
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("QUEUE_PORT", "0"),
        ("QUEUE_PORT", "65536"),
        ("QUEUE_PORT", "5672.0"),
        ("QUEUE_PORT", ""),
        ("QUEUE_PORT", "9" * 5000),
        ("QUEUE_TLS", "maybe"),
        ("QUEUE_TYPE", "Quorum"),
        ("QUEUE_PREFIX", ""),
        ("DB_SSLMODE", "allow"),
        ("REQUEST_TIMEOUT", "nan"),
        ("REQUEST_TIMEOUT", "inf"),
        ("REQUEST_TIMEOUT", "-1"),
        ("RETRY_DELAYS", ""),
        ("RETRY_DELAYS", "0"),
        ("RETRY_DELAYS", "5,nan"),
        ("MAX_RETRIES", "-1"),
        ("BATCH_ROWS", "0"),
        ("IMAGE_ROOT", ""),
        ("IMAGE_ROOT", "~no_such_user_at_all/pictures"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_under_its_name(name: str, value: str) -> None:
    assert problems({name: value})[name][0] == value


@pytest.mark.parametrize(
    ("name", "value", "parsed"),
    [
        ("QUEUE_PORT", "65535", 65535),
        ("QUEUE_TLS", "YES", True),
        ("QUEUE_TLS", "0", False),
        ("SERVICE_NAME", " yolov8, clip ,", ("yolov8", "clip")),
        ("IMAGE_URL_ALLOW", "nas.local,10.0.0.7", ("nas.local", "10.0.0.7")),
        ("RETRY_DELAYS", "0.5, 60", (0.5, 60.0)),
        ("REQUEST_TIMEOUT", "2.5", 2.5),
        ("IMAGE_ROOT", "pictures", ROOT / "pictures"),
        ("IMAGE_ROOT", "/srv/pictures", Path("/srv/pictures")),
        ("IMAGE_ROOT", "~/pictures", Path.home() / "pictures"),
        ("DB_PASSWORD", " with spaces ", " with spaces "),
    ],
)
def test_a_value_is_parsed_into_its_type(name: str, value: str, parsed: object) -> None:
    assert getattr(Settings.from_env({name: value}), name.lower()) == parsed


@pytest.fixture
def authority(tmp_path: Path) -> str:
    file = tmp_path / "ca.pem"
    file.write_text("certificate")
    return str(file)


def test_a_certificate_authority_without_tls_is_refused(authority: str) -> None:
    assert "QUEUE_TLS_CA" in problems({"QUEUE_TLS_CA": authority})
    assert Settings.from_env({"QUEUE_TLS_CA": authority, "QUEUE_TLS": "true"}).queue_tls_ca == Path(authority)


@pytest.mark.parametrize("name", ["QUEUE_TLS_CA", "DB_SSLROOTCERT"])
def test_a_certificate_authority_must_be_a_file_that_exists(name: str) -> None:
    found = problems({name: "/no/such/ca.pem", "QUEUE_TLS": "true"})
    assert name in found


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_verifying_the_database_needs_a_certificate_authority(mode: str, authority: str) -> None:
    assert "DB_SSLROOTCERT" in problems({"DB_SSLMODE": mode})
    assert Settings.from_env({"DB_SSLMODE": mode, "DB_SSLROOTCERT": authority}).db_sslmode == mode


def test_the_passwords_are_the_secrets() -> None:
    assert secret_names() == {
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_SAS_TOKEN",
        "DB_PASSWORD",
        "QUEUE_PASSWORD",
        "WEBDAV_PASSWORD",
        "WINDMILL_KEY",
    }


def test_no_secret_shows_in_repr_str_or_error() -> None:
    secrets = {"DB_PASSWORD": "tell-no-one", "QUEUE_PASSWORD": "nor-this"}
    found = Settings.from_env(secrets)
    assert found.db_password == "tell-no-one"
    with pytest.raises(ConfigInvalid) as refused:
        Settings.from_env({**secrets, "QUEUE_PORT": "x"})
    for text in (repr(found), str(found), str(refused.value), repr(refused.value)):
        assert "tell-no-one" not in text
        assert "nor-this" not in text


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Settings.from_env({}).queue_host = "other"  # type: ignore[misc]


def test_a_worker_without_an_id_is_named_by_host_and_process() -> None:
    assert Settings.from_env({"WORKER_ID": "pi-3"}).worker_name() == "pi-3"
    name = Settings.from_env({}).worker_name()
    assert name == Settings.from_env({}).worker_name()
    assert name.rpartition("-")[2].isdigit()


def test_one_webdav_password_is_for_one_server() -> None:
    account = {"WEBDAV_USER": "me", "WEBDAV_PASSWORD": "hunter22"}
    assert Settings.from_env(account | {"IMAGE_STORE_ALLOW": "davs://a/x,davs://a/y"}).webdav_user == "me"
    refused = problems(account | {"IMAGE_STORE_ALLOW": "davs://a/x,davs://b/y"})
    assert refused == {"WEBDAV_USER": ("me", "is for one server, not a and b")}
    assert "WEBDAV_USER" in problems({"WEBDAV_PASSWORD": "hunter22"})


def test_containers_of_azure_need_an_account() -> None:
    refused = problems({"IMAGE_STORE_ALLOW": "az://photos"})
    assert refused == {"IMAGE_STORE_ALLOW": ("az://photos/", "needs AZURE_STORAGE_ACCOUNT_NAME with az://")}
    found = Settings.from_env({"IMAGE_STORE_ALLOW": "az://photos", "AZURE_STORAGE_ACCOUNT": "of-the-azure-cli"})
    assert found.azure_storage_account_name == "of-the-azure-cli"


def test_an_emulator_may_be_named_as_the_clients_of_google_take_it() -> None:
    assert (
        Settings.from_env({"STORAGE_EMULATOR_HOST": "localhost:4443"}).storage_emulator_host == "http://localhost:4443"
    )


def test_a_place_that_is_no_store_is_refused_with_its_scheme_and_the_remedy() -> None:
    value, allowed = problems({"IMAGE_STORE_ALLOW": "s3://a,ftp://nas/photos"})["IMAGE_STORE_ALLOW"]
    assert "ftp://nas/photos" in value
    assert "mount it, and name the folder" in allowed


@pytest.mark.parametrize("scheme", ["dav", "davs"])
def test_artifacts_lie_in_no_webdav_folder_which_would_show_half_of_them(scheme: str) -> None:
    allowed = problems({"ARTIFACTS_URL": f"{scheme}://nas/x"})["ARTIFACTS_URL"][1]
    assert "half written" in allowed
    assert allowed.endswith("mount it, name the folder")
