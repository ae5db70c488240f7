"""`python -m farm`: the old name of `python -m dev.farm`."""

import runpy
import sys

if __name__ == "__main__":
    sys.stderr.write("python -m farm is now python -m dev.farm; this name goes with the next release\n")
    runpy.run_module("dev.farm", run_name="__main__", alter_sys=True)
