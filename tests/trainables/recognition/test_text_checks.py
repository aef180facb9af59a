"""Checks what is told of labels as they are written: which file, what was cut, what is invisible or unreadable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from trainables.recognition.data_section import CropSection
from trainables.recognition.dataset import load_crops
from trainables.recognition.text_checks import check_texts
from trainables.trainable import Finding

HEADER = "path,text,split\n"


def check(root: Path, content: str, name: str = "labels.csv", **data: Any) -> list[Finding]:
    """Checks the texts of a file of labels beside empty crops 0.jpg to 9.jpg."""
    for number in range(10):
        (root / f"{number}.jpg").touch()
    (root / name).write_text(content, encoding="utf-8")
    return check_texts(CropSection.parse({"root": str(root)} | data))


def test_of_plain_labels_the_file_that_is_read_is_told(tmp_path: Path) -> None:
    assert check(tmp_path, HEADER + "0.jpg,12가 3456,train\n") == [Finding("texts", "read from labels.csv")]
    assert check(tmp_path, "0.jpg\t1\n", "a.txt", labels={"train": "a.txt"}) == [Finding("texts", "read from a.txt")]
    assert check_texts(CropSection.parse({"root": "synthetic/plates"})) == []


def test_files_beside_labels_csv_are_told_as_not_read(tmp_path: Path) -> None:
    for split in ("train", "val"):
        (tmp_path / f"{split}.txt").write_text("0.jpg\t1\n")
    (finding,) = check(tmp_path, HEADER + "0.jpg,1,train\n")
    assert finding.detail == (
        "read from labels.csv, and not from train.txt, val.txt beside it: to read those, name them in data.labels"
    )
    (finding,) = check(tmp_path, HEADER, labels={"train": "train.txt"})
    assert finding.detail == "read from train.txt"


def test_blanks_that_were_cut_are_counted_and_those_that_cannot_be_seen_are_named(tmp_path: Path) -> None:
    (finding,) = check(tmp_path, HEADER + "0.jpg,1 ,train\n1.jpg,\ufeff2,train\n2.jpg,3\u200b\u200b,val\n3.jpg,4,val\n")
    assert finding.problem is None
    assert finding.detail.endswith(
        "blanks cut at the ends of 3 texts (U+FEFF ZERO WIDTH NO-BREAK SPACE in labels.csv:3; "
        "U+200B ZERO WIDTH SPACE in labels.csv:4)"
    )


def test_invisible_characters_are_named_by_file_line_and_code_point(tmp_path: Path) -> None:
    told, wrong = check(tmp_path, HEADER + "0.jpg,12가\u200b3456,train\n1.jpg,1,val\n2.jpg,a\u00a0b\u00a0c,test\n")
    assert told.problem is None and wrong.kind == "invisible_characters"
    assert wrong.problem == (
        "2 texts must hold what can be seen, but hold invisible characters, which would be learnt: "
        "labels.csv:2: '12가\\u200b3456' holds U+200B ZERO WIDTH SPACE as its character 4; "
        "labels.csv:4: 'a\\xa0b\\xa0c' holds U+00A0 NO-BREAK SPACE as its character 2 and 1 more; "
        "remove them, or write a plain space"
    )
    _, wrong = check(tmp_path, "0.jpg\t1\n1.jpg\t1\u20282\n", "all.txt", labels="all.txt", folds=2)
    assert wrong.problem is not None and "all.txt:2: '1\\u20282' holds U+2028 LINE SEPARATOR" in wrong.problem


def test_characters_that_a_program_lost_are_named(tmp_path: Path) -> None:
    _, wrong = check(tmp_path, HEADER + "0.jpg,12\ufffd3456,train\n")
    assert wrong.kind == "broken_characters" and wrong.problem is not None
    assert "1 texts hold U+FFFD" in wrong.problem and "labels.csv:2: '12\ufffd3456'" in wrong.problem


def test_crops_labelled_as_unreadable_are_counted_and_in_no_split(tmp_path: Path) -> None:
    rows = "".join(
        f"{number}.jpg,{'###' if number % 3 == 0 else number},{'val' if number > 6 else 'train'}\n"
        for number in range(10)
    )
    (finding,) = check(tmp_path, HEADER + rows)
    assert "4 crops are labelled ### (do not care) and left out: labels.csv:2, labels.csv:5, " in finding.detail
    assert [crop.text for crop in load_crops({"root": str(tmp_path)}, "train")] == ["1", "2", "4", "5"]
    dealt = {"root": str(tmp_path), "folds": 2}
    assert sum(len(load_crops(dealt, split)) for split in ("train", "val")) == 6
