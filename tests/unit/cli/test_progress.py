"""Progress bars of the command line."""

import io

from windmill.cli.progress import ProgressBars
from windmill.operate.progress import ProgressUpdate


class Terminal(io.StringIO):
    """A file that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_each_part_of_an_operation_gets_a_bar() -> None:
    terminal = Terminal()
    with ProgressBars(terminal) as bars:
        bars.show(ProgressUpdate("", "jobs read", 3))
        bars.show(ProgressUpdate("merge", "images", 0, 10))
        bars.show(ProgressUpdate("merge", "images", 10, 10))
    shown = terminal.getvalue()
    assert "3 jobs read" in shown
    assert "merge: 100%" in shown
    assert "10/10" in shown


def test_without_a_terminal_nothing_is_shown() -> None:
    file = io.StringIO()
    with ProgressBars(file) as bars:
        bars.show(ProgressUpdate("merge", "images", 5, 10))
    assert file.getvalue() == ""
