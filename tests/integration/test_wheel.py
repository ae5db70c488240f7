"""The wheel holds all that its programs read beside their modules."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from windmill.core.settings import ROOT

FOLDERS = {
    "gateway/pages/templates": "gateway/pages/templates",
    "gateway/pages/static": "gateway/pages/static",
    "sql/queries": "windmill/data/sql/queries",
    "sql/migrations": "windmill/data/sql/migrations",
    "presets": "windmill/data/presets",
}
FILES = ("windmill/data/service_config.json", "windmill/data/calibration.json")


@pytest.mark.slow(reason="half a minute: pip fetches the build backend and builds a wheel")
@pytest.mark.timeout(600)
def test_templates_static_files_statements_and_presets_are_in_the_wheel(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT))
    subprocess.run(command, check=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        inside = set(opened.namelist())
    for here, there in FOLDERS.items():
        wanted = {
            f"{there}/{file.relative_to(ROOT / here)}"
            for file in (ROOT / here).rglob("*")
            if file.is_file() and "__pycache__" not in file.parts
        }
        assert len(wanted) > 3
        assert wanted - inside == set()
    assert set(FILES) - inside == set()
    assert not [name for name in inside if name.startswith(("tests/", "dev/", "bench/"))]
