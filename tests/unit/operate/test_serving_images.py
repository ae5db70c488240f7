"""What is told of where images lie, which services a name means, and which folders are registered."""

from pathlib import Path

import pytest

from windmill.core.errors import WindmillError
from windmill.core.image_places import PlaceRules, told_root
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT, Settings
from windmill.core.wanted_states import EVERYTHING
from windmill.operate.dead_letters.codes import checked_codes
from windmill.operate.images.registering import list_folder, list_urls, shown_place
from windmill.operate.wanted_states import names_of
from windmill.submit.entry_types import BadEntry, FoundImage, ImageAccess

FLEET = load_fleet(ROOT / "service_config.json")


@pytest.mark.parametrize(
    ("root", "path", "url", "shown"),
    [
        ("/pictures", "/pictures/a/b.jpg", None, "a/b.jpg"),
        ("/pictures", "/elsewhere/b.jpg", None, None),
        ("/pictures", "/pictures/sent/ab/abc.jpeg", None, None),
        ("/", "/srv/b.jpg", None, "srv/b.jpg"),
        (None, "/srv/secret/b.jpg", None, None),
        (None, None, "https://h/b.jpg", "https://h/b.jpg"),
        ("/pictures", None, None, None),
        ("/pictures", None, "https://u:hunter22@h/b.jpg?token=x", "https://h/b.jpg"),
    ],
)
def test_no_path_of_the_server_is_told(root: str | None, path: str | None, url: str | None, shown: str | None) -> None:
    assert PlaceRules(Path(root) if root else None, Path("/pictures/sent")).shown(path, url) == shown


def test_a_root_is_told_if_somebody_has_set_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "env").touch()
    monkeypatch.setenv("ENV_FILE", str(tmp_path / "env"))
    monkeypatch.delenv("IMAGE_ROOT", raising=False)
    assert told_root(Settings.from_env({})) is None
    assert told_root(Settings.from_env({"IMAGE_ROOT": "/pictures"})) == Path("/pictures")
    monkeypatch.setenv("IMAGE_ROOT", "/")
    assert told_root(Settings.from_env({"IMAGE_ROOT": "/"})) == Path("/")


def test_entries_are_named_from_the_root_on() -> None:
    assert shown_place("/pictures/a.jpg", Path("/pictures")) == "a.jpg"
    assert shown_place("https://h/a.jpg", Path("/pictures")) == "https://h/a.jpg"


def test_names_sets_and_steps_are_told_apart() -> None:
    assert names_of(FLEET, ["render"], ["render", "clip", "clip"]) == ["render", "clip"]
    assert names_of(FLEET, [], [EVERYTHING]) == [EVERYTHING]
    assert set(names_of(FLEET, ["render"], ["all"])) == set(FLEET.services)
    for wanted, code in (([], "USAGE"), (["nothing"], "NOT_FOUND")):
        with pytest.raises(WindmillError, match=code):
            names_of(FLEET, ["render"], wanted)


def test_a_folder_leads_nowhere_else(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    (root / "list.txt").write_text("/etc/passwd\n")
    (tmp_path / "beside").mkdir()
    (root / "link").symlink_to(tmp_path / "beside")
    access = ImageAccess(root)
    assert sorted(type(one).__name__ for one in list_folder(".", access)) == ["BadEntry", "FoundImage", "IgnoredFile"]
    for folder in ("..", "../beside", "link", "list.txt", "none", "/", "a\0b"):
        with pytest.raises(WindmillError, match="NOT_FOUND"):
            list_folder(folder, access)


def test_a_path_is_no_url(tmp_path: Path) -> None:
    found = list(
        list_urls(["https://pictures.example/a.jpg", str(tmp_path), "https://10.0.0.1/b.jpg"], ImageAccess(tmp_path))
    )
    assert [type(one) for one in found] == [FoundImage, BadEntry, BadEntry]


def test_codes_are_named_in_any_case_and_must_be_known() -> None:
    assert checked_codes(["service_error ", ""]) == {"SERVICE_ERROR"}
    with pytest.raises(WindmillError, match="did you mean 'SERVICE_ERROR'"):
        checked_codes(["SERVICE_EROR"])
    with pytest.raises(WindmillError, match="no code"):
        checked_codes([""])
