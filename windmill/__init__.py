"""The library of the fleet: pure kernels at the bottom, commands on top. docs/architecture.md has the map."""

from windmill.libraries import require_libraries

VERSION = "0.1.0"

require_libraries()
