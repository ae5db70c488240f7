"""Builds the container image of deploy/Dockerfile: `python -m dev.image`.

Docker builds it if its daemon answers. Otherwise buildah does, without a daemon or an image registry: mmdebstrap
creates the base image from Debian packages, and later builds use it again.
"""

import argparse
import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.servers import files, rabbitmq_docker
from windmill.core.settings import ROOT

STORE = ROOT / "var" / "image"
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
TARGETS = ("windmill", "farm")
TOOLS = ("buildah", "mmdebstrap")
MIRROR = "http://deb.debian.org/debian"
PACKAGES = ("ca-certificates", "python3", "python3-venv")
PIP_SETTINGS = (
    "index-url",
    "extra-index-url",
    "trusted-host",
    "cert",
    "proxy",
    "timeout",
    "default-timeout",
)
"""The settings of pip that a build inherits. Those that name folders are left out: a build cannot see them."""

Report = Callable[[str], None]


class CannotBuild(Exception):
    """This machine lacks something that a build needs; the text says what."""


class BuildFailed(Exception):
    """A build step failed; the text ends with its last output."""


@dataclass(frozen=True)
class Base:
    """The base image that the Dockerfile names, with its Python version and Debian release."""

    name: str
    python: str
    suite: str


def base_of(dockerfile: str) -> Base:
    """The base image of the first FROM, under its full name, which buildah resolves without a registry."""
    found = re.search(r"^FROM (python:(\d+\.\d+)-slim-([a-z]+)) ", dockerfile, re.MULTILINE)
    if found is None:
        raise CannotBuild(
            "deploy/Dockerfile does not begin with FROM python:X.Y-slim-SUITE, so no base image can be created"
        )
    return Base(f"docker.io/library/{found[1]}", found[2], found[3])


def pip_configuration(listed: str) -> dict[str, str]:
    """The settings that a build inherits, from `pip config list`; environment variables override files."""
    settings: dict[str, str] = {}
    for line in sorted(listed.splitlines(), key=lambda line: line.startswith(":env:")):
        name, _, value = line.partition("=")
        key, said = name.rpartition(".")[2], str(ast.literal_eval(value))
        if key in PIP_SETTINGS and "file:" not in said:
            settings[key] = said
    return settings


class Store:
    """buildah's images and containers in a directory of their own, separate from others on this machine."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def command(self, *arguments: str) -> list[str]:
        """A buildah command for this directory. The driver vfs copies files, but also works inside a container."""
        where = ("--root", str(self.directory / "root"), "--runroot", str(self.directory / "run"))
        return ["buildah", *where, "--storage-driver", "vfs", *arguments]

    def ask(self, *arguments: str) -> str:
        return _run(self.command(*arguments))

    def has(self, image: str) -> bool:
        return subprocess.run(self.command("inspect", "--type", "image", image), capture_output=True).returncode == 0

    def configuration(self, image: str) -> dict[str, Any]:
        """The image's configuration for Docker: user, command, health check and so on."""
        found: dict[str, Any] = json.loads(self.ask("inspect", "--type", "image", image))["Docker"]["config"]
        return found

    def megabytes(self, image: str) -> float:
        """The size of an image, including its base."""
        number, unit = json.loads(self.ask("images", "--json", image))[0]["size"].split()
        return float(number) * {"kB": 1e-3, "MB": 1.0, "GB": 1e3}[unit]

    def forget(self, image: str) -> None:
        if self.has(image):
            self.ask("rmi", "--force", image)

    @contextmanager
    def container(self, image: str) -> Iterator[str]:
        """Creates a container for `buildah run`, yields its name, and removes it at the end."""
        name = self.ask("from", "--pull-never", image).strip()
        try:
            yield name
        finally:
            self.ask("rm", name)


def demand_tools() -> None:
    """Raise if this machine cannot build without Docker."""
    if os.geteuid() != 0:
        raise CannotBuild("building an image without Docker needs root")
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        raise CannotBuild(f"not installed here: {', '.join(missing)}; on Debian: apt install {' '.join(TOOLS)}")


def build(store: Store, target: str, mirror: str | None, report: Report) -> str:
    """Build with buildah; returns the name of the image in the store."""
    demand_tools()
    base = base_of(DOCKERFILE.read_text(encoding="utf-8"))
    with files.locked(store.directory / ".lock", lambda: report("waiting for another build to end")):
        if not store.has(base.name):
            report(f"creating {base.name} from Debian packages")
            _make_base(store, base, mirror)
        report(f"building {image_name(target)}")
        _build_target(store, target)
    return f"localhost/{image_name(target)}"


def image_name(target: str) -> str:
    """The name that deploy/compose.yaml uses."""
    return "windmill" if target == "windmill" else f"windmill-{target}"


def _make_base(store: Store, base: Base, mirror: str | None) -> None:
    _demand_mirror(f"{mirror or MIRROR}/dists/{base.suite}/InRelease")
    with tempfile.TemporaryDirectory(dir=store.directory) as folder:
        archive = Path(folder) / "base.tar"
        include = f"--include={','.join(PACKAGES)}"
        # Without a given mirror, mmdebstrap uses Debian's and adds its security updates.
        sources = [mirror] if mirror else []
        _run(["mmdebstrap", "--quiet", "--variant=minbase", include, base.suite, str(archive), *sources])
        with store.container("scratch") as container:
            store.ask("add", "--quiet", container, str(archive), "/")
            # As in Docker Hub's image: `python` in this place, and the Python version of the image's name.
            link = "ln -s /usr/bin/python3 /usr/local/bin/python"
            proof = f"python -c 'import sys; assert sys.version.startswith(\"{base.python}.\"), sys.version'"
            store.ask("run", "--isolation", "chroot", container, "--", "sh", "-c", f"{link} && {proof}")
            store.ask("commit", "--quiet", container, base.name)


def _demand_mirror(address: str) -> None:
    try:
        with urllib.request.urlopen(address, timeout=20):  # noqa: S310 - the address of a mirror
            pass
    except (OSError, ValueError) as error:
        raise CannotBuild(f"{address} cannot be reached: {error}") from error


def _build_target(store: Store, target: str) -> None:
    settings = pip_configuration(_run([sys.executable, "-m", "pip", "config", "list"]))
    with tempfile.NamedTemporaryFile("w", suffix=".conf", dir=store.directory) as configuration:
        configuration.write("".join(["[global]\n", *(f"{key} = {value}\n" for key, value in settings.items())]))
        configuration.flush()
        Path(configuration.name).chmod(0o644)
        mounted = [f"{configuration.name}:/etc/pip.conf:ro"]
        if certificates := settings.get("cert"):
            mounted.append(f"{certificates}:{certificates}:ro")
        # The OCI image format, buildah's default, has no health check.
        store.ask(
            *("bud", "--quiet", "--pull-never", "--isolation", "chroot", "--format", "docker"),
            *(word for mount in mounted for word in ("--volume", mount)),
            *("--target", target, "--file", str(DOCKERFILE), "--tag", image_name(target), str(ROOT)),
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Build one image; returns the exit code."""
    options = _parser().parse_args(arguments)
    began = time.monotonic()
    try:
        if rabbitmq_docker.daemon_answers():
            return subprocess.run(docker_command(options.target), check=False).returncode
        store = Store(options.store.resolve())
        if options.fresh:
            store.forget(base_of(DOCKERFILE.read_text(encoding="utf-8")).name)
        name = build(store, options.target, options.mirror, _say)
    except CannotBuild as error:
        _say(str(error))
        return 2
    except BuildFailed as error:
        _say(str(error))
        return 1
    _say(f"{name}, {store.megabytes(name):.0f} MB, in {time.monotonic() - began:.0f} s. To export it to a file:")
    sys.stdout.write(shlex.join(store.command("push", name, f"docker-archive:{image_name(options.target)}.tar")) + "\n")
    return 0


def docker_command(target: str) -> list[str]:
    return ["docker", "build", "--file", str(DOCKERFILE), "--tag", image_name(target), "--target", target, str(ROOT)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dev.image",
        description="Build the container image with Docker if its daemon answers, otherwise with buildah, as root.",
        epilog="exit codes: 0 built, 1 the build failed, 2 wrong usage, or this machine lacks a requirement",
    )
    parser.add_argument("--target", choices=TARGETS, default=TARGETS[0], help="stage of the Dockerfile (%(default)s)")
    parser.add_argument(
        "--mirror", metavar="URL", help=f"Debian mirror for the base image ({MIRROR} and security updates)"
    )
    parser.add_argument(
        "--store", type=Path, default=STORE, metavar="DIR", help="where buildah keeps images (%(default)s)"
    )
    parser.add_argument(
        "--fresh", action="store_true", help="create the base image again, with current security updates"
    )
    return parser


def _say(line: str) -> None:
    """Progress goes to standard error, data to standard output."""
    sys.stderr.write(line + "\n")


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-30:])
        raise BuildFailed(f"{shlex.join(command)} failed:\n{said}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
