"""What `calibrate` and `learn` share: each makes a calibration of what the database holds, and writes it if --out says
where."""

import argparse
import sys
from pathlib import Path

from windmill.cli.options import Commands, add_command, add_json, print_result
from windmill.process.runner import DONE

_USE = """
Without --out it only reports. With --out, set CALIBRATION to the new file on all machines, restart the post-processors,
and recompute old rows:

    python -m windmill {command}
    python -m windmill recompute --stage merge --other-calibration
    python -m windmill recompute --stage consensus --other-calibration
"""
_EXIT_CODES = """\
exit codes: 0 done, 1 failed, 2 wrong usage, 70 a bug of Windmill
"""


def add_fitting(commands: Commands, command: str, told: str, description: str, named: str) -> argparse.ArgumentParser:
    """A command that makes a calibration; `command` has it written, `named` tells its version without --name."""
    name = command.partition(" ")[0]
    add = add_command(commands, name, told, description + _USE.format(command=command), _EXIT_CODES)
    add.add_argument("--group", metavar="G", help="only images of this group")
    add.add_argument("--out", type=Path, metavar="FILE", help="where to write the new calibration")
    add.add_argument("--name", metavar="V", help=f"its version, as recorded in rows (default: {named})")
    add_json(add)
    return add


def print_fitted(document: object, text: str, arguments: argparse.Namespace) -> int:
    """Print what was found; the exit code."""
    print_result(document, text, as_json=arguments.json)
    if not arguments.out and not arguments.json:
        sys.stderr.write("nothing is written; with --out FILE it would be\n")
    return DONE
