"""An image out of deploy/Dockerfile: `python -m dev.image`.

Docker builds it where its daemon answers. Elsewhere buildah does, without a daemon and without an image registry: what
FROM names is then made of Debian's packages by mmdebstrap, and kept for the next build.
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
"""What decides how pip reaches packages; folders of this machine are out of an image's reach."""

Report = Callable[[str], None]


class CannotBuild(Exception):
    """This machine lacks what a build needs; the text says what."""


class BuildFailed(Exception):
    """A program of the build ended with an error; the text is what it said last."""


@dataclass(frozen=True)
class Base:
    """What the Dockerfile builds on, and what it takes to make the like of it."""

    name: str
    python: str
    suite: str


def base_of(dockerfile: str) -> Base:
    """What the first FROM names, with the name in full, as buildah asks no registry which one was meant."""
    found = re.search(r"^FROM (python:(\d+\.\d+)-slim-([a-z]+)) ", dockerfile, re.MULTILINE)
    if found is None:
        raise CannotBuild("deploy/Dockerfile does not begin with FROM python:X.Y-slim-SUITE, so no base can be made")
    return Base(f"docker.io/library/{found[1]}", found[2], found[3])


def pip_configuration(listed: str) -> dict[str, str]:
    """Where pip here finds packages, out of what `pip config list` says; what the environment names comes last."""
    settings: dict[str, str] = {}
    for line in sorted(listed.splitlines(), key=lambda line: line.startswith(":env:")):
        name, _, value = line.partition("=")
        key, said = name.rpartition(".")[2], str(ast.literal_eval(value))
        if key in PIP_SETTINGS and "file:" not in said:
            settings[key] = said
    return settings


class Store:
    """Images and containers in a directory of their own, out of the way of any that are on this machine."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def command(self, *arguments: str) -> list[str]:
        """`buildah` for this directory. vfs copies where others mount, but works inside a container, too."""
        where = ("--root", str(self.directory / "root"), "--runroot", str(self.directory / "run"))
        return ["buildah", *where, "--storage-driver", "vfs", *arguments]

    def ask(self, *arguments: str) -> str:
        return _run(self.command(*arguments))

    def has(self, image: str) -> bool:
        return subprocess.run(self.command("inspect", "--type", "image", image), capture_output=True).returncode == 0

    def configuration(self, image: str) -> dict[str, Any]:
        """What Docker is told of an image: its user, command, health check and so on."""
        found: dict[str, Any] = json.loads(self.ask("inspect", "--type", "image", image))["Docker"]["config"]
        return found

    def megabytes(self, image: str) -> float:
        """How large an image is with all that it builds on."""
        number, unit = json.loads(self.ask("images", "--json", image))[0]["size"].split()
        return float(number) * {"kB": 1e-3, "MB": 1.0, "GB": 1e3}[unit]

    def forget(self, image: str) -> None:
        if self.has(image):
            self.ask("rmi", "--force", image)

    @contextmanager
    def container(self, image: str) -> Iterator[str]:
        """The name of a container of this image, for `buildah run`; it is gone afterwards."""
        name = self.ask("from", "--pull-never", image).strip()
        try:
            yield name
        finally:
            self.ask("rm", name)


def demand_tools() -> None:
    """Raise where a build without Docker cannot even begin."""
    if os.geteuid() != 0:
        raise CannotBuild("only root can make an image without Docker")
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        raise CannotBuild(f"not installed here: {', '.join(missing)}; on Debian: apt install {' '.join(TOOLS)}")


def build(store: Store, target: str, mirror: str | None, report: Report) -> str:
    """Build with buildah; the name of the image in the store."""
    demand_tools()
    base = base_of(DOCKERFILE.read_text(encoding="utf-8"))
    with files.locked(store.directory / ".lock", lambda: report("another process builds; waiting for it")):
        if not store.has(base.name):
            report(f"making {base.name} of Debian's packages")
            _make_base(store, base, mirror)
        report(f"building {image_name(target)}")
        _build_target(store, target)
    return f"localhost/{image_name(target)}"


def image_name(target: str) -> str:
    """As deploy/compose.yaml calls it."""
    return "windmill" if target == "windmill" else f"windmill-{target}"


def _make_base(store: Store, base: Base, mirror: str | None) -> None:
    _demand_mirror(f"{mirror or MIRROR}/dists/{base.suite}/InRelease")
    with tempfile.TemporaryDirectory(dir=store.directory) as folder:
        archive = Path(folder) / "base.tar"
        include = f"--include={','.join(PACKAGES)}"
        # Without a mirror of the user's, mmdebstrap takes Debian's own and adds its security updates.
        sources = [mirror] if mirror else []
        _run(["mmdebstrap", "--quiet", "--variant=minbase", include, base.suite, str(archive), *sources])
        with store.container("scratch") as container:
            store.ask("add", "--quiet", container, str(archive), "/")
            # The one that Docker Hub serves has `python` there, and the version that its name promises.
            link = "ln -s /usr/bin/python3 /usr/local/bin/python"
            proof = f"python -c 'import sys; assert sys.version.startswith(\"{base.python}.\"), sys.version'"
            store.ask("run", "--isolation", "chroot", container, "--", "sh", "-c", f"{link} && {proof}")
            store.ask("commit", "--quiet", container, base.name)


def _demand_mirror(address: str) -> None:
    try:
        with urllib.request.urlopen(address, timeout=20):  # noqa: S310 - the address of a mirror
            pass
    except (OSError, ValueError) as error:
        raise CannotBuild(f"{address} cannot be had: {error}") from error


def _build_target(store: Store, target: str) -> None:
    settings = pip_configuration(_run([sys.executable, "-m", "pip", "config", "list"]))
    with tempfile.NamedTemporaryFile("w", suffix=".conf", dir=store.directory) as configuration:
        configuration.write("".join(["[global]\n", *(f"{key} = {value}\n" for key, value in settings.items())]))
        configuration.flush()
        Path(configuration.name).chmod(0o644)
        mounted = [f"{configuration.name}:/etc/pip.conf:ro"]
        if certificates := settings.get("cert"):
            mounted.append(f"{certificates}:{certificates}:ro")
        # An image of the OCI's format has no place for a health check, and buildah would leave it out.
        store.ask(
            *("bud", "--quiet", "--pull-never", "--isolation", "chroot", "--format", "docker"),
            *(word for mount in mounted for word in ("--volume", mount)),
            *("--target", target, "--file", str(DOCKERFILE), "--tag", image_name(target), str(ROOT)),
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Build one image; the exit code."""
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
    _say(f"{name}, {store.megabytes(name):.0f} MB, in {time.monotonic() - began:.0f} s. Give it to Docker or podman:")
    sys.stdout.write(shlex.join(store.command("push", name, f"docker-archive:{image_name(options.target)}.tar")) + "\n")
    return 0


def docker_command(target: str) -> list[str]:
    return ["docker", "build", "--file", str(DOCKERFILE), "--tag", image_name(target), "--target", target, str(ROOT)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dev.image",
        description="Build the image of deploy/Dockerfile: by Docker where it answers, else by buildah, as root.",
        epilog="exit codes: 0 built, 1 a step of the build failed, 2 wrong usage, or this machine lacks what it takes",
    )
    parser.add_argument("--target", choices=TARGETS, default=TARGETS[0], help="which stage (%(default)s)")
    parser.add_argument("--mirror", metavar="URL", help=f"of Debian, for the base ({MIRROR} with security updates)")
    parser.add_argument("--store", type=Path, default=STORE, metavar="DIR", help="buildah's images (%(default)s)")
    parser.add_argument("--fresh", action="store_true", help="make the base anew, with the security updates of today")
    return parser


def _say(line: str) -> None:
    """Progress goes to standard error, so that standard output is free for data."""
    sys.stderr.write(line + "\n")


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-30:])
        raise BuildFailed(f"{shlex.join(command)} failed:\n{said}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
