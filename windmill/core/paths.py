"""Paths of the data files that ship with the code: SQL, migrations, default configuration.

In a checkout, and in the copy that install.sh makes, they lie beside the package; in an installed wheel, inside it.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_PACKED = _PACKAGE / "data"
CHECKOUT = _PACKAGE.parent if (_PACKAGE.parent / "sql" / "migrations").is_dir() else None
"""The folder of the checkout that this code runs from; None where the package was installed."""


def packaged_file(name: str) -> Path:
    """A file or folder that ships with this version of the code."""
    return (CHECKOUT or _PACKED) / name


def user_or_packaged_file(name: Path, home: Path) -> Path:
    """The user's own file in `home`, or else the packaged one."""
    own = home / name
    if own.exists() or name.is_absolute():
        return own
    packed = packaged_file(str(name))
    return packed if packed.is_file() else own
