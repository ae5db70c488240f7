"""Text that others chose, such as names of files, made fit for one line of a log or a terminal."""


def render_printable(text: str, instead: str = "\ufffd") -> str:
    """On one line, and without characters that would control the terminal: services and queues choose their names."""
    return "".join(letter if letter.isprintable() else instead for letter in " ".join(text.split()))


def shorten(text: str, most: int) -> str:
    """The beginning of a text that has over `most` characters, with how many are left out."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text) - most:,} more characters)"
