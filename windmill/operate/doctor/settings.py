"""The settings: whether they load, where they come from, and which areas can be tested when some are wrong."""

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from windmill.core.errors import ConfigInvalid, Problem
from windmill.core.foreign_settings import notes
from windmill.core.paths import packaged_file
from windmill.core.settings import LOCAL_ENV, ROOT, Settings, defaults, environment, load_settings, secret_names
from windmill.operate.doctor.findings import Area, DoctorFinding, ok, problem, warning

_ACCOUNTS = ("AWS", "GOOGLE", "STORAGE_EMULATOR", "AZURE")
_NEEDS: dict[Area, tuple[str, ...]] = {
    "broker": ("QUEUE",),
    "topology": ("QUEUE", "RETRY", "SERVICE"),
    "database": ("DB",),
    "services": ("SERVICE",),
    "engines": ("SERVICE", "MODEL", "PYTHON", "ARTIFACTS", *_ACCOUNTS, "DB", "QUEUE"),
    "images": ("IMAGE", "MAX_IMAGE", "ARTIFACTS", *_ACCOUNTS, "WEBDAV", "DB"),
    "artifacts": ("ARTIFACTS", *_ACCOUNTS),
    "video": ("FFMPEG",),
    "gateway": ("GATEWAY", "IMAGE", "DB"),
}
"""Prefixes of the settings that an area needs."""


@dataclass(frozen=True)
class LoadedSettings:
    """The usable settings, and the problems of the others."""

    settings: Settings | None
    problems: tuple[Problem, ...] = ()

    def invalid_for(self, area: Area) -> list[str]:
        """The invalid settings that this area needs."""
        if self.settings is None:
            return [problem.name for problem in self.problems]
        return [problem.name for problem in self.problems if problem.name.startswith(_NEEDS.get(area, ()))]


def load() -> LoadedSettings:
    """If some settings are invalid, the others, with defaults for every setting that shares a prefix with those."""
    try:
        return LoadedSettings(load_settings())
    except ConfigInvalid as error:
        problems = error.problems
    families = tuple({problem.name.partition("_")[0] for problem in problems})
    try:
        usable = {name: value for name, value in environment().items() if not name.startswith(families)}
        return LoadedSettings(Settings.from_env(usable), problems)
    except ConfigInvalid:
        return LoadedSettings(None, problems)


def examine(loaded: LoadedSettings) -> list[DoctorFinding]:
    """All findings about the settings."""
    found = [
        problem("settings", one.name, f"{one.value!r}: {one.allowed}", "correct it; .env.example explains each")
        for one in loaded.problems
    ]
    if loaded.settings is None:
        return found
    merged = environment()
    files = [env_file(merged), LOCAL_ENV]
    origin = ok("settings", "files", render_origins(merged, {file: _read(file) for file in files if file.is_file()}))
    foreign = judge_foreign(merged)
    return [
        *found,
        origin,
        *_in_use(loaded.settings),
        *foreign,
        *(one for file in files for one in check_permissions(file)),
    ]


def env_file(merged: Mapping[str, str]) -> Path:
    return Path(merged.get("ENV_FILE", ROOT / ".env"))


def _read(file: Path) -> dict[str, str]:
    return {name: value for name, value in dotenv_values(file, interpolate=False).items() if value is not None}


def render_origins(merged: Mapping[str, str], files: Mapping[Path, Mapping[str, str]]) -> str:
    """How many settings come from where. A file counts as the origin of a value that the environment repeats."""
    known = [name for name in defaults() if name in merged]
    counts = {file: sum(values.get(name) == merged[name] for name in known) for file, values in files.items()}
    named = [f"{count} from {file}" for file, count in counts.items()]
    anywhere = {name for name in known for values in files.values() if values.get(name) == merged[name]}
    others = len(known) - len(anywhere)
    return ", ".join([*named, f"{others} from the process environment", f"{len(defaults()) - len(known)} defaults"])


def _in_use(settings: Settings) -> list[DoctorFinding]:
    waits = ", ".join(f"{delay:g}" for delay in settings.retry_delays)
    return [
        ok("settings", "home", f"relative paths start at {ROOT}"),
        ok("settings", "SERVICE_CONFIG", str(settings.service_config)),
        ok("settings", "CALIBRATION", str(settings.calibration)),
        ok("settings", "statements", str(packaged_file("sql"))),
        ok("settings", "QUEUE_TYPE", settings.queue_type),
        ok("settings", "RETRY_DELAYS", f"{waits} s, {settings.max_retries} tries after the first"),
    ]


def judge_foreign(merged: Mapping[str, str]) -> list[DoctorFinding]:
    """What became of variables that other systems have."""
    remedy = "remove it; docs/coming-from.md has what to set instead"
    return [
        ok("settings", one.name, one.said) if one.useful else warning("settings", one.name, one.said, remedy)
        for one in notes(merged)
    ]


def check_permissions(file: Path) -> list[DoctorFinding]:
    """A warning when everybody can read a file with passwords."""
    if not file.is_file() or not any(_read(file).get(name) for name in secret_names()):
        return []
    mode = stat.S_IMODE(file.stat().st_mode)
    if mode & stat.S_IROTH:
        said = f"{file} holds passwords and everybody on this machine can read it (mode {mode:03o})"
        return [warning("settings", "passwords", said, f"chmod 600 {file}")]
    return [ok("settings", "passwords", f"{file} is not readable by everybody")]
