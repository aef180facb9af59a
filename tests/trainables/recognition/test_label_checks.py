"""Checks what is found in crops that were spoilt on purpose."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.harness.folders import DATA
from trainables.recognition.charset import Charset
from trainables.recognition.config import Config
from trainables.recognition.dataset import SPLITS, charset_of, load_crops
from trainables.recognition.label_checks import check_labels, time_steps_of
from trainables.trainable import Finding

pytestmark = pytest.mark.usefixtures("own_cache")

ROWS = [
    ("0.png", "12가3456", "train"),
    ("1.png", "34나5678", "train"),
    ("2.png", "12나3478", "val"),
    ("3.png", "5", "test"),
]


def folder(path: Path, rows: Sequence[Sequence[str]], header: str = "path,text,split") -> dict[str, Any]:
    """Writes labels.csv and a picture of noise for each row."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "labels.csv").write_text("\n".join([header, *map(",".join, rows)]), encoding="utf-8")
    for index, (name, *_) in enumerate(rows):
        noise = np.random.default_rng(index).integers(0, 256, (20, 60 + index, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path / name)
    return {"root": str(path)}


def check_all(data: dict[str, Any], charset: Charset | None = None, **config: Any) -> list[Finding]:
    splits = {split: load_crops(data, split, with_bad=True) for split in SPLITS}
    skip = data.get("on_bad") == "skip"
    return list(check_labels(splits, charset or charset_of(data), time_steps_of(Config(**config)), skip=skip))


def check(data: dict[str, Any], charset: Charset | None = None, **config: Any) -> dict[str, Finding]:
    return {finding.check: finding for finding in check_all(data, charset, **config)}


def problems(findings: dict[str, Finding]) -> dict[str, str]:
    return {name: finding.problem for name, finding in findings.items() if finding.problem}


def test_good_crops_have_no_problem(tmp_path: Path) -> None:
    findings = check(folder(tmp_path, ROWS))
    assert problems(findings) == {}
    assert [finding.detail for finding in findings.values()] == [
        "train: 2 crops of 7 to 7 characters; val: 1 crops of 7 to 7 characters; test: 1 crops of 1 to 1 characters",
        "10 characters; 4 labels encode and decode to themselves",
        "4 labels need at most 7 time steps; the tightest takes 28% of what its crop gets",
        "4 of 4 decoded, 60 to 63 px wide, 20 to 20 px high",
        "0 pictures are there more than once, 0 of them in several splits; 0 groups, 0 of them in several splits; "
        "0 crops of val and test say what one of train says",
    ]


def test_one_text_on_all_crops_cannot_be_meant(tmp_path: Path) -> None:
    rows = [(name, "jpg" if split == "train" else text, split) for name, text, split in ROWS]
    assert "all crops of train say 'jpg'" in problems(check(folder(tmp_path, rows)))["labels"]


def test_characters_that_the_charset_lacks_are_named_and_counted(tmp_path: Path) -> None:
    data = folder(tmp_path, ROWS)
    wrong = {f.kind: f.problem for f in check_all(data, Charset(tuple("12345678"))) if f.problem}
    assert list(wrong) == ["unwritable_characters", "unseen_characters"]
    assert wrong["unwritable_characters"] == (
        "2 of 2 crops of train hold characters that the charset lacks: '가' (U+AC00) x 1, '나' (U+B098) x 1; "
        "add them to the file of `charset`"
    )
    assert "1 of 1 crops of val" in (wrong["unseen_characters"] or "")


def test_a_rare_character_of_val_is_told_and_is_no_problem(tmp_path: Path) -> None:
    rows = [*ROWS, *((f"more{i}.png", f"1{i}", "val") for i in range(30)), ("x.png", "闽1", "val")]
    finding = check(folder(tmp_path, [*rows, ("y.png", "0129", "train")]))["charset"]
    assert finding.problem is None
    assert "1 of 32 crops of val hold characters that the charset lacks: '闽' (U+95FD) x 1; they can" in finding.detail


@pytest.mark.parametrize(
    ("text", "width", "right"), [("1234567", 28, True), ("1234566", 28, False), ("1" * 4, 28, True)]
)
def test_repeats_need_a_time_step_between_them(tmp_path: Path, text: str, width: int, right: bool) -> None:
    rows = [("0.png", text, "train"), ("1.png", "2", "train"), ("2.png", text, "val"), ("3.png", "1", "test")]
    finding = check(folder(tmp_path, rows), width=width)["label lengths"]
    assert (finding.problem is None) == right
    if not right:
        assert finding.problem is not None
        assert "2 labels are longer than their time steps" in finding.problem
        assert "0.png (train): '1234566' needs 8, but has 7; 2.png (val)" in finding.problem


def test_with_kept_proportions_each_crop_has_its_own_time_steps(tmp_path: Path) -> None:
    data = folder(tmp_path, ROWS)  # 20 px high: 60 px become 96 at a height of 32, and those 24 steps
    Image.fromarray(np.zeros((20, 15, 3), np.uint8)).save(tmp_path / "2.png")
    found = problems(check(data, width=0))["label lengths"]
    assert "1 labels are longer" in found and "2.png (val): '12나3478' needs 7, but has 6" in found


def test_crops_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    data = folder(tmp_path, [*ROWS, *((f"more{i}.png", f"1{i}", "train") for i in range(9))])
    for index in range(9):
        (tmp_path / f"more{index}.png").write_bytes(b"<html>not found</html>")
    for width in (0, 100):
        found = problems(check(data, width=width))["pictures"]
        assert (
            f"{tmp_path}/more0.png: cannot be read as an image" in found
            and "; and 4 more; or leave them out with `data.on_bad: skip`" in found
        )


def test_the_same_picture_in_two_splits_is_named(tmp_path: Path) -> None:
    data = folder(tmp_path, ROWS)
    shutil.copy(tmp_path / "0.png", tmp_path / "3.png")
    found = problems(check(data))
    assert "the same picture is learnt and scored: 0.png (train) = 3.png (test); keep one" in found["splits"]


def test_the_same_pixels_in_another_file_are_the_same_picture(tmp_path: Path) -> None:
    data = folder(tmp_path, [*ROWS, ("4.bmp", "12가3456", "val")])
    Image.open(tmp_path / "0.png").save(tmp_path / "4.bmp")
    assert "0.png (train) = 4.bmp (val)" in problems(check(data))["splits"]


def test_a_picture_with_two_texts_is_named_and_is_a_problem_where_there_are_many(tmp_path: Path) -> None:
    data = folder(tmp_path, ROWS)
    shutil.copy(tmp_path / "0.png", tmp_path / "1.png")
    found = problems(check(data))
    assert "labelled with several texts: 0.png '12가3456' = 1.png '34나5678'; keep the right one" in found["pictures"]
    rows = [*ROWS, *((f"more{i}.png", f"{i:03d}", "train") for i in range(300))]
    data = folder(tmp_path, rows)
    shutil.copy(tmp_path / "0.png", tmp_path / "1.png")
    finding = check(data)["pictures"]
    assert finding.problem is None and "1 pictures are labelled with several texts" in finding.detail


def test_a_group_in_two_splits_is_named_and_folds_mend_it(tmp_path: Path) -> None:
    rows = [(f"{i}.png", f"{i:02d}", SPLITS[i % 2], f"car {i // 3}" if i < 6 else "") for i in range(12)]
    data = folder(tmp_path, rows, "path,text,split,group")
    found = problems(check(data))["splits"]
    assert "2 groups are in several splits: 'car 0' (train 2, val 1); 'car 1' (train 1, val 2)" in found
    assert "splits" not in problems(check(data | {"folds": 3}))


def test_drawn_plates_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSWEEP_CACHE", str(tmp_path))
    assert problems(check({"root": "synthetic/plates", "crops": 8, "seed": 5})) == {}


def test_crops_that_cannot_be_read_are_left_out_by_name_where_data_say_so(tmp_path: Path) -> None:
    rows = [*ROWS, *((f"more{i}.png", f"{i}{i}", "train") for i in range(6))]
    data = folder(tmp_path, rows) | {"on_bad": "skip"}
    (tmp_path / "more1.png").write_bytes((tmp_path / "more1.png").read_bytes()[:900])
    (tmp_path / "more4.png").unlink()
    findings = check(data)
    assert "8 of 10 decoded" in findings["pictures"].detail and findings["pictures"].problem is None
    assert f"2 of 10 left out, because they cannot be read: {tmp_path}/more1.png: cannot be read" in (
        findings["pictures"].detail
    )
    assert f"{tmp_path}/more4.png: no such file" in findings["pictures"].detail
    assert findings["labels"].detail.startswith("train: 6 crops")
    assert [crop.name for crop in load_crops(data, "train")] == [
        "0.png", "1.png", "more0.png", "more2.png", "more3.png", "more5.png",
    ]  # fmt: skip
    for index in (0, 2):
        (tmp_path / f"more{index}.png").unlink()
    wrong = [finding for finding in check_all(data) if finding.problem]
    assert [finding.kind for finding in wrong] == ["many_pictures_skipped"]


@pytest.mark.data
@pytest.mark.parametrize(("name", "width"), [("ccpd_plates", 100), ("tapuscorpus_lines", 0)])
def test_real_crops_pass(name: str, width: int) -> None:
    assert problems(check({"root": str(DATA / name)}, width=width)) == {}
