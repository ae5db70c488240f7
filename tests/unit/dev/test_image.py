"""What an image is built of, without building one."""

from pathlib import Path

import pytest

from dev import image
from dev.image import Base, CannotBuild
from tests.unit.manifests import DEPLOY, document


def test_the_base_is_what_the_dockerfile_names_with_its_python_and_debian() -> None:
    base = image.base_of(image.DOCKERFILE.read_text(encoding="utf-8"))
    assert base == Base("docker.io/library/python:3.11-slim-bookworm", "3.11", "bookworm")


@pytest.mark.parametrize("line", ["FROM python:latest AS python", "FROM debian:bookworm AS python", "# nothing"])
def test_a_base_that_cannot_be_made_of_debian_packages_is_refused(line: str) -> None:
    with pytest.raises(CannotBuild, match="so no base can be made"):
        image.base_of(line)


def test_a_build_finds_packages_where_pip_here_does_and_the_environment_comes_first() -> None:
    listed = (
        ":env:.index-url='https://near/simple'\n:env:.no-color='1'\n"
        "global.cert='/etc/ca.pem'\nglobal.index-url='https://far/simple'\n"
    )
    assert image.pip_configuration(listed) == {"index-url": "https://near/simple", "cert": "/etc/ca.pem"}


def test_folders_of_this_machine_are_not_named_in_a_build() -> None:
    listed = "global.extra-index-url='file:///srv/wheels'\nglobal.find-links='/srv/wheels'\n"
    assert image.pip_configuration(listed) == {}


@pytest.mark.parametrize(("target", "service"), [("windmill", "setup"), ("farm", "farm")])
def test_an_image_is_called_what_compose_calls_it(target: str, service: str) -> None:
    name = image.image_name(target)
    assert name == document(DEPLOY / "compose.yaml")["services"][service]["image"]
    assert f"--tag {name} --target {target}" in " ".join(image.docker_command(target))


def test_images_are_kept_in_a_directory_of_their_own() -> None:
    command = image.Store(Path("/srv/images")).command("images")
    assert command[0] == "buildah"
    assert "--root /srv/images/root --runroot /srv/images/run" in " ".join(command)
