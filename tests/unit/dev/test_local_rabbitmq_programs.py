"""Where RabbitMQ comes from and how it is configured, without starting one."""

import shutil
import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from dev.servers import c_library, debian_packages, files, rabbitmq, rabbitmq_docker, rabbitmq_node, rabbitmq_programs
from dev.servers.processes import Died
from dev.servers.rabbitmq_node import NodeSettings
from windmill.core.errors import WindmillError

SETTINGS = NodeSettings(
    name="windmill-abc@localhost",
    user="windmill",
    password="secret",
    port={"amqp": 5680, "management": 15680, "distribution": 25680, "epmd": 4380},
)


def test_the_configuration_binds_loopback_only_and_makes_an_administrator_of_its_own() -> None:
    lines = dict(line.split(" = ") for line in rabbitmq_node.configuration(SETTINGS).splitlines())
    assert lines["listeners.tcp.1"] == "127.0.0.1:5680"
    assert (lines["management.tcp.ip"], lines["management.tcp.port"]) == ("127.0.0.1", "15680")
    assert (lines["default_user"], lines["default_pass"]) == ("windmill", "secret")
    assert lines["default_user_tags.administrator"] == "true"


def test_settings_are_kept_and_what_is_missing_is_new(tmp_path: Path) -> None:
    rabbitmq_node.save(tmp_path, SETTINGS)
    assert rabbitmq_node.load(tmp_path) == SETTINGS
    files.write_json(tmp_path / "settings.json", {"password": "kept", "from_a_later_version": 1})
    assert rabbitmq_node.load(tmp_path).password == "kept"
    assert rabbitmq_node.load(tmp_path / "none").password != rabbitmq_node.load(tmp_path / "none").password


def test_a_package_list_without_erlang_keeps_everything_else() -> None:
    status = (
        "Package: adduser\nStatus: install ok installed\n\n"
        "Package: erlang-base\nStatus: install ok installed\n\n"
        "Package: rabbitmq-server\nStatus: install ok installed\n\n"
        "Package: zlib1g\nStatus: install ok installed\n"
    )
    kept = debian_packages.without_erlang(status)
    assert [line.split()[1] for line in kept.splitlines() if line.startswith("Package")] == ["adduser", "zlib1g"]


@pytest.mark.parametrize("line", ['ROOTDIR="/usr/lib/erlang"', "ROOTDIR=/usr/lib/erlang"])
def test_erl_is_made_to_find_itself_wherever_it_is(tmp_path: Path, line: str) -> None:
    script = tmp_path / "usr/lib/erlang/bin/erl"
    script.parent.mkdir(parents=True)
    script.write_text(f"#!/bin/sh\n{line}\nBINDIR=$ROOTDIR/erts/bin\n")
    debian_packages.relocate(tmp_path)
    assert "/usr/lib/erlang" not in script.read_text()
    assert debian_packages.RELOCATED_ROOT in script.read_text()


def test_the_newest_finished_tree_is_used_and_an_unfinished_one_never(tmp_path: Path) -> None:
    assert debian_packages.unpacked(tmp_path) is None
    system, newer = debian_packages.system(), debian_packages.made_for("testing")
    for name in (f"3.9.13-{system}", f"3.10.8-{system}", f"4.2-{newer}", "4.9-other", ".unpacking-x"):
        (tmp_path / (name if name.startswith(".") else f"rabbitmq-{name}")).mkdir()
    assert debian_packages.unpacked(tmp_path) == tmp_path / f"rabbitmq-3.10.8-{system}"
    assert debian_packages.unpack(tmp_path, lambda _: None) == tmp_path / f"rabbitmq-3.10.8-{system}"
    assert debian_packages.unpack(tmp_path, lambda _: None, "testing") == tmp_path / f"rabbitmq-4.2-{newer}"


@pytest.mark.parametrize(
    ("addresses", "mirror"),
    [
        (["http://a.example/debian-security/", "http://a.example/debian/"], "http://a.example/debian/"),
        (["https://b.example/linux/debian"], "https://b.example/linux/debian"),
        (["http://a.example/ubuntu/"], None),
        ([], None),
    ],
)
def test_a_newer_suite_is_taken_from_the_mirror_that_apt_has(addresses: list[str], mirror: str | None) -> None:
    assert debian_packages.mirror_of(addresses) == mirror


def tree_with_own_c_library(tree: Path) -> Path:
    """A program that says how it was started, its loader and a library directory; returns the program's path."""
    libraries = tree / "usr/lib/x86_64-linux-gnu"
    program = tree / "usr/lib/erlang/bin/erlc"
    for directory in (libraries, program.parent, tree / "usr/bin"):
        directory.mkdir(parents=True)
    (libraries / "ld-linux-x86-64.so.2").write_text('#!/bin/sh\necho "$@"\n')
    (libraries / "ld-linux-x86-64.so.2").chmod(0o755)
    program.write_bytes(c_library.ELF + b"...")
    (program.parent / "start").write_text("#!/bin/sh\n")
    (tree / "usr/bin/erlc").symlink_to("../lib/erlang/bin/erlc")
    return program


def test_programs_of_a_newer_system_run_with_the_c_library_beside_them_wherever_they_are(tmp_path: Path) -> None:
    tree_with_own_c_library(tmp_path / "unpacked")
    c_library.use_own(tmp_path / "unpacked")
    tree = (tmp_path / "unpacked").rename(tmp_path / "tree")
    said = subprocess.run([tree / "usr/bin/erlc", "a b"], capture_output=True, text=True, check=True).stdout.split()
    called, libraries, program = said[1], Path(said[3]).resolve(), Path(said[4]).resolve()
    assert called == str(tree / "usr/bin/erlc")
    assert libraries == (tree / "usr/lib/x86_64-linux-gnu").resolve()
    assert program.read_bytes().startswith(c_library.ELF)
    assert said[5:] == ["a", "b"]
    assert (tree / "usr/lib/erlang/bin/start").read_text() == "#!/bin/sh\n"


def test_such_a_tree_keeps_its_libraries_from_the_programs_of_the_system(tmp_path: Path) -> None:
    tree_with_own_c_library(tmp_path)
    assert "LD_LIBRARY_PATH" not in rabbitmq_programs.in_tree(tmp_path).environment()


def test_a_tree_without_a_c_library_uses_that_of_the_system_and_adds_its_own_libraries(tmp_path: Path) -> None:
    program = tree_with_own_c_library(tmp_path)
    loader = c_library.loader(tmp_path)
    assert loader is not None
    loader.unlink()
    c_library.use_own(tmp_path)
    assert program.read_bytes().startswith(c_library.ELF)
    assert rabbitmq_programs.in_tree(tmp_path).environment()["LD_LIBRARY_PATH"] == str(loader.parent)


def refusal(home: Path, **named: str) -> WindmillError:
    """What is said against starting a broker."""
    with pytest.raises(WindmillError) as refused:
        rabbitmq.start(home, named, lambda _: None)
    return refused.value


def test_a_version_that_cannot_be_had_is_refused_with_those_that_can(tmp_path: Path) -> None:
    error = refusal(tmp_path, BROKER="5")
    assert (error.code, "only 4 is known" in error.message) == ("CONFIG_INVALID", True)


def test_data_of_another_version_are_left_alone(tmp_path: Path) -> None:
    rabbitmq_node.save(tmp_path, replace(SETTINGS, script="/some/rabbitmq-server"))
    error = refusal(tmp_path, BROKER="4")
    assert (error.code, "down --wipe --only rabbitmq" in error.remedy) == ("CONFLICT", True)
    assert rabbitmq_node.load(tmp_path).broker == ""


def test_only_a_broker_that_was_asked_for_by_version_does_without_what_will_be_dropped() -> None:
    """An older one would not start with a setting that it does not know."""
    newer = rabbitmq_node.configuration(replace(SETTINGS, broker="4"))
    assert "deprecated_features.permit.management_metrics_collection = false" in newer.splitlines()
    assert "deprecated_features" not in rabbitmq_node.configuration(SETTINGS)


def test_the_cache_follows_the_user() -> None:
    assert rabbitmq_programs.cache({"XDG_CACHE_HOME": "/some/cache"}) == Path("/some/cache/windmill")
    assert rabbitmq_programs.cache({}) == Path.home() / ".cache/windmill"


def test_an_instance_stays_with_the_programs_that_made_its_data(tmp_path: Path) -> None:
    script = tmp_path / rabbitmq_programs.TREE_SCRIPT
    assert rabbitmq_programs.at(script) is None
    script.parent.mkdir(parents=True)
    script.touch()
    assert rabbitmq_programs.at(script) == rabbitmq_programs.in_tree(tmp_path)


def test_a_container_publishes_on_loopback_only_and_keeps_its_data_in_a_volume() -> None:
    arguments = rabbitmq_docker.arguments(SETTINGS)
    published = [after for before, after in pairwise(arguments) if before == "--publish"]
    assert published == ["127.0.0.1:5680:5672", "127.0.0.1:15680:15672"]
    assert "windmill-abc:/var/lib/rabbitmq" in arguments
    assert arguments[-1] == rabbitmq_docker.IMAGE


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `docker` on the path that notes what it is asked and cannot run containers."""
    command = tmp_path / "bin" / "docker"
    command.parent.mkdir()
    command.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n'
        "case $1 in inspect) echo true;; run) echo no such image >&2; exit 125;; esac\n"
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(command.parent), prepend=":")
    return tmp_path / "asked"


def test_a_docker_daemon_counts_only_if_it_answers(docker: Path) -> None:
    assert rabbitmq_docker.daemon_answers()
    (docker.parent / "bin" / "docker").write_text("#!/bin/sh\nexit 1\n")
    assert not rabbitmq_docker.daemon_answers()
    shutil.rmtree(docker.parent / "bin")


def test_a_broker_in_a_container_is_stopped_and_wiped_there(docker: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    rabbitmq_node.save(home, NodeSettings("windmill-abc@localhost", "u", "p", script=rabbitmq_docker.SCRIPT))
    assert rabbitmq.pid(home) == 0
    assert rabbitmq.stop(home)
    rabbitmq.wipe(home)
    asked = docker.read_text().splitlines()
    assert "stop --time 60 windmill-abc" in asked
    assert asked[-1] == "volume rm --force windmill-abc"
    assert not home.exists()


def test_what_docker_says_when_it_cannot_start_the_broker_is_passed_on(docker: Path, tmp_path: Path) -> None:
    (docker.parent / "bin" / "docker").write_text("#!/bin/sh\necho no such image >&2\nexit 125\n")
    with pytest.raises(Died, match="no such image"):
        rabbitmq_docker.start(tmp_path)
