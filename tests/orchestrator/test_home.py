"""What a home is, and what leads out of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import InputMistake
from orchestrator.home import Home, is_own
from orchestrator.tracking import default_uri


@pytest.mark.parametrize("name", ["", ".", "..", "../elsewhere", "a/b", "/etc", "a\0b", "../\x1b[2J"])
def test_no_name_leads_out_of_the_home(tmp_path: Path, name: str) -> None:
    for place in (Home.at(tmp_path).study, Home.at(tmp_path).report):
        with pytest.raises(InputMistake, match="must be the name of a study") as refused:
            place(name)
        assert str(refused.value).isprintable()


def test_no_study_takes_the_place_of_what_a_home_holds(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    held = [Path(home.ledger), Path(default_uri(tmp_path, None).removeprefix("sqlite:///"))]
    names = [file.name + suffix for file in held for suffix in ("", "-wal", "-shm", "-journal")]
    assert all(map(is_own, [*names, "check", "mlartifacts", "nights"]))
    assert not any(map(is_own, ["hrnet", "ledger", "checks", "my.db"]))
