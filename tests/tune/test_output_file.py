"""What --output writes is whole or absent, and replaces nothing that somebody else wrote."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
import yaml
from PIL import Image

from orchestrator import tracking
from orchestrator.checkpoints.folder import Folder
from orchestrator.home import Home
from orchestrator.ledger import Ledger
from orchestrator.study_file.study_spec import parse_study
from orchestrator.trial import Report, State
from tests.tune.conftest import Typed
from tune.output_file import written_to
from tune.study_report import REPORT_FILES


@pytest.fixture
def toy(home: Path) -> Home:
    """Returns a home with a study of one trial, whose only epoch is saved."""
    place = Home.at(home)
    ledger = Ledger(place.ledger)
    spec = parse_study(
        {
            "study": "toy",
            "trainable": "tests.toy",
            "objective": {"metric": "val/score", "mode": "max"},
            "space": {"lr": 0.1, "epochs": 1},
        },
        "toy.yaml",
    )
    row = ledger.create_study("toy", spec.raw, spec.objective.objective, {})
    ledger.add_trial(row.id, {"lr": 0.1, "epochs": 1})
    state = json.dumps({"epoch": 1, "score": 0.5})
    Folder(place.study("toy")).write(1, 1, lambda folder: (folder / "state.json").write_text(state))
    ledger.record(row.id, 1, Report(1, {"val/score": 0.5}, 1.0, 1000.0, checkpoint=True))
    ledger.finish(row.id, 1, State.COMPLETED)
    return place


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / "x.jpg"
    Image.new("RGB", (8, 8)).save(file)
    return file


def test_a_mistake_in_what_is_read_leaves_an_older_file_as_it_was(typed: Typed, toy: Home, tmp_path: Path):
    corrected = tmp_path / "corrected.csv"
    corrected.write_text("a week of corrections\n")
    for force in ([], ["--force"]):
        answer = typed("predict", "toy", tmp_path / "nope.jpg", "--output", corrected, *force)
        assert (answer.code, corrected.read_text()) == (2, "a week of corrections\n")
        assert "nope.jpg does not exist" in answer.err
    assert typed("best", "tyo", "--output", tmp_path / "best.yaml").code == 2
    assert sorted(file.name for file in tmp_path.iterdir()) == ["corrected.csv", "runs"]


def test_a_picture_that_is_read_is_never_written_over(typed: Typed, toy: Home, picture: Path, tmp_path: Path):
    before = picture.read_bytes()
    (tmp_path / "link.csv").symlink_to(picture)
    for output in (picture, tmp_path / "link.csv"):
        for read in (picture, tmp_path):
            answer = typed("predict", "toy", read, "--output", output, "--force")
            assert answer.code == 2 and "--output: must not be one of the files that are read" in answer.err
    assert picture.read_bytes() == before


def test_what_we_wrote_is_written_again_and_what_was_changed_since_is_not(
    typed: Typed, toy: Home, picture: Path, tmp_path: Path
):
    output = tmp_path / "readings.csv"
    for _ in range(2):
        assert typed("predict", "toy", picture, "--output", output).out == f"{output}\n"
    assert output.read_text() == "x.jpg,0.500\n"
    output.write_text("x.jpg,0.600\n")  # corrected by hand
    answer = typed("predict", "toy", picture, "--output", output)
    assert answer.code == 2 and answer.err == (
        f"--output: must be a new file, or one that tune wrote and nobody changed, but {output} is another; "
        "give another name, or add --force to replace it\n"
    )
    assert output.read_text() == "x.jpg,0.600\n"
    assert typed("predict", "toy", picture, "--output", output, "--force").code == 0
    assert output.read_text() == "x.jpg,0.500\n"


def test_best_is_a_file_that_can_be_asked_for_again_but_replaces_no_other(typed: Typed, toy: Home, tmp_path: Path):
    best, own = tmp_path / "best.yaml", tmp_path / "own.yaml"
    own.write_text("study: own\n")
    assert [typed("best", "toy", "--output", best).code for _ in range(2)] == [0, 0]
    assert yaml.safe_load(best.read_text())["space"]["lr"] == 0.1
    assert typed("best", "toy", "--output", own).code == 2
    assert own.read_text() == "study: own\n"
    for place, said in ((tmp_path, "must be a file, but"), (tmp_path / "no" / "best.yaml", "must lie in a folder")):
        answer = typed("best", "toy", "--output", place)
        assert answer.code == 2 and said in answer.err
    assert not (tmp_path / "no").exists()


def test_a_reading_that_breaks_off_leaves_nothing_behind(toy: Home, tmp_path: Path):
    file = tmp_path / "readings.csv"
    with pytest.raises(KeyboardInterrupt), written_to(file, toy) as stream:
        stream.write("half of")
        raise KeyboardInterrupt
    assert not file.exists()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["runs"]


def test_a_file_keeps_its_rights_and_a_link_its_target(toy: Home, tmp_path: Path):
    target, link = tmp_path / "shared.csv", tmp_path / "link.csv"
    target.write_text("")
    target.chmod(0o640)
    link.symlink_to(target)
    with written_to(link, toy, force=True) as stream:
        stream.write("new")
    assert link.is_symlink() and target.read_text() == "new" and stat.S_IMODE(target.stat().st_mode) == 0o640
    with written_to(tmp_path / "own.csv", toy) as stream:
        stream.write("new")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "own.csv").stat().st_mode) == 0o666 & ~mask


def test_a_device_and_a_dash_take_what_comes(toy: Home, capsys: pytest.CaptureFixture[str]):
    with written_to(Path("/dev/null"), toy) as stream:
        stream.write("gone")
    with written_to(Path("-"), toy) as stream:
        stream.write("seen")
    assert capsys.readouterr().out == "seen" and not Path("-").exists()
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_report_in_korean_lies_beside_the_english_one(
    typed: Typed, toy: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shown: list[tuple[set[str], str]] = []
    monkeypatch.setattr(
        tracking, "log_report", lambda *_, files, name, **_more: shown.append(({file.name for file in files}, name))
    )
    english = Path(typed("report", "toy").out.strip())
    text = english.read_text()
    korean = Path(typed("report", "toy", "--lang", "ko").out.strip())
    assert english.read_text() == text and '<html lang="en"' in text
    assert '<html lang="ko"' in korean.read_text()
    assert shown == [(set(REPORT_FILES), "report"), (set(REPORT_FILES), "report-ko")]
    own = tmp_path / "notes"
    own.mkdir()
    (own / "report.md").write_text("of somebody else\n")
    answer = typed("report", "toy", "--output", own)
    assert answer.code == 2 and f"{own / 'report.md'} is another" in answer.err
    assert [file.name for file in own.iterdir()] == ["report.md"]
    assert typed("report", "toy", "--output", own, "--force").code == 0
    assert typed("report", "toy", "--output", own).code == 0
    assert typed("report", "toy", "--output", own / "report.md").code == 2


def test_a_table_for_excel_begins_with_a_byte_order_mark(toy: Home, picture: Path, typed: Typed, tmp_path: Path):
    for excel, start in ([], b"x.jpg"), (["--excel"], b"\xef\xbb\xbfx.jpg"):
        output = tmp_path / f"readings-{len(excel)}.csv"
        assert typed("predict", "toy", picture, "--output", output, *excel).code == 0
        assert output.read_bytes().startswith(start)
