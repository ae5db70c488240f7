"""The fleet's command line: python -m windmill COMMAND. Each command is in windmill/commands/ and adds itself."""

import argparse
import sys

from windmill.commands import calibrate, doctor, failed, partitions, plan, queues, recompute, repair, setup, status

GROUPS = (setup, status, queues, failed, repair, recompute, calibrate, partitions, plan, doctor)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m windmill", description="Look after the fleet.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for group in GROUPS:
        group.add_to(commands)
    return top


def main() -> int:
    arguments = parser().parse_args()
    start = arguments.start
    return int(start(arguments))


if __name__ == "__main__":
    sys.exit(main())
