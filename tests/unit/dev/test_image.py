"""The decisions of an image build, without a build."""

from pathlib import Path

import pytest

from dev import image
from dev.image import Base, CannotBuild
from tests.unit.manifests import DEPLOY, document


def test_the_dockerfile_names_the_base_image_with_its_python_and_debian_versions() -> None:
    base = image.base_of(image.DOCKERFILE.read_text(encoding="utf-8"))
    assert base == Base("docker.io/library/python:3.11-slim-bookworm", "3.11", "bookworm")


@pytest.mark.parametrize("line", ["FROM python:latest AS python", "FROM debian:bookworm AS python", "# nothing"])
def test_a_base_image_that_debian_packages_cannot_replace_is_refused(line: str) -> None:
    with pytest.raises(CannotBuild, match="no base image can be created"):
        image.base_of(line)


def test_a_build_inherits_the_package_index_and_environment_variables_override_files() -> None:
    listed = (
        ":env:.index-url='https://near/simple'\n:env:.no-color='1'\n"
        "global.cert='/etc/ca.pem'\nglobal.index-url='https://far/simple'\n"
    )
    assert image.pip_configuration(listed) == {"index-url": "https://near/simple", "cert": "/etc/ca.pem"}


def test_a_build_does_not_inherit_folders_of_this_machine() -> None:
    listed = "global.extra-index-url='file:///srv/wheels'\nglobal.find-links='/srv/wheels'\n"
    assert image.pip_configuration(listed) == {}


@pytest.mark.parametrize(("target", "service"), [("windmill", "setup"), ("farm", "farm")])
def test_an_image_has_the_name_that_compose_uses(target: str, service: str) -> None:
    name = image.image_name(target)
    assert name == document(DEPLOY / "compose.yaml")["services"][service]["image"]
    assert f"--tag {name} --target {target}" in " ".join(image.docker_command(target))


def test_buildah_keeps_images_in_the_given_directory() -> None:
    command = image.Store(Path("/srv/images")).command("images")
    assert command[0] == "buildah"
    assert "--root /srv/images/root --runroot /srv/images/run" in " ".join(command)
