"""Files that come with the code but are no code: statements, migrations, the description of the fleet.

In a checkout, and where install.sh put a copy of one, they lie beside the package; in an installed wheel, inside it.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_PACKED = _PACKAGE / "data"
CHECKOUT = _PACKAGE.parent if (_PACKAGE.parent / "sql" / "migrations").is_dir() else None
"""The folder of the checkout that this code runs from; None where the package was installed."""


def shipped(name: str) -> Path:
    """A file or folder that comes with this version of the code."""
    return (CHECKOUT or _PACKED) / name


def found(name: Path, home: Path) -> Path:
    """A file of the user's in `home`; where there is none, the one that comes with the code."""
    own = home / name
    if own.exists() or name.is_absolute():
        return own
    packed = shipped(str(name))
    return packed if packed.is_file() else own
