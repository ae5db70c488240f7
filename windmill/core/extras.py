"""Optional parts of the package, and how they are installed."""


def install_extra(extra: str) -> str:
    """From a checkout, and never by the name alone: under that name PyPI has somebody else's package."""
    return f"in a checkout of Windmill: pip install '.[{extra}]'"
