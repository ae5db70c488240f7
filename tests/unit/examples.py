"""Examples in the documents, as they are written there."""

import re
import textwrap

from windmill.core.settings import ROOT


def example(document: str, start: str) -> str:
    """The indented lines from the one that begins with `start` to the next empty one."""
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    (found,) = re.findall(rf"^ +{re.escape(start)}.*(?:\n +\S.*)*", text, re.MULTILINE)
    return textwrap.dedent(found)
