"""What an error code means, as people read it. Pure."""

from windmill.core.errors import ERROR_CODES

NO_CODE = "look at the message: it holds no code of ours"


def code_words(code: str | None) -> tuple[str, str]:
    """Who caused it, and what to do: the remedy of the code, word for word."""
    spec = next((spec for name, spec in ERROR_CODES.items() if name == code), None)
    return (spec.culprit, spec.remedy) if spec else ("", NO_CODE)
