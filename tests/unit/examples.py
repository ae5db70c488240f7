"""Examples in the documents, as they are written there."""

import re
import textwrap

from windmill.core.settings import ROOT


def example(document: str, start: str, number: int | None = None) -> str:
    """The indented lines from the one that begins with `start` to the next empty one; of several the one of this
    number, and otherwise there must be one only."""
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    found = re.findall(rf"^ +{re.escape(start)}.*(?:\n +\S.*)*", text, re.MULTILINE)
    assert number is not None or len(found) == 1, found
    return textwrap.dedent(found[number or 0])
