"""Checks that every kind of mistake in annotations.json is named by page and instance."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from trainables.detection.annotations import read_annotations

SQUARE = [[10, 10], [40, 10], [40, 20], [10, 20]]


def entry(image: str = "0.png", split: str | None = "train", **other: Any) -> dict[str, Any]:
    page = {"image": image, "width": 60, "height": 40, "split": split, "instances": [{"points": SQUARE}]} | other
    return {key: value for key, value in page.items() if value is not None}


def write(folder: Path, entries: Any) -> Path:
    (folder / "annotations.json").write_text(json.dumps(entries))
    return folder


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({}, "must be a list of one page or more, but got a mapping of 0"),
        ([], "must be a list of one page or more"),
        ([3], "page 0: must be a mapping, but got 3"),
        ([entry(image="")], "page 0: `image` must be a path"),
        ([entry(image="/etc/0.png")], r"page 0 \(/etc/0.png\): `image` must lie below the folder of annotations.json"),
        ([entry(image="a/../../0.png")], "`image` must lie below the folder of annotations.json; give it from there"),
        ([entry(image="\x1b[2J\n0.png", width=0)], r"page 0: `image` must be a path, but got '\\x1b\[2J\\n0.png'"),
        ([entry(image="\0")], "page 0: `image` must be a path"),
        ([entry(), entry()], r"page 1 \(0.png\): `image` must be listed once, but page 0"),
        ([entry(width=0)], r"page 0 \(0.png\): `width` must be a whole number"),
        ([entry(height=40.5)], "`height` must be a whole number of pixels, but got 40.5"),
        ([entry(split="training")], "`split` must be train, val or test, but got 'training'; did you mean `train`?"),
        ([entry(split="VALID"), entry("1.png", "VALID")], r"did you mean `val`\? \(1 more like it\)"),
        (
            [entry(image="/old/place/there.png")],
            "must lie below the folder of annotations.json; did you mean `there.png`?",
        ),
        ([entry(split=None)], "`split` must be train, val or test, but is missing; .* data.folds"),
        ([entry(instances=None)], "`instances` must be a list"),
        ([entry(instances=[{"points": SQUARE[:2]}])], "instance 0: `points` must be three or more"),
        ([entry(instances=[{"points": SQUARE}, {"points": [[0, 0], [1, 1], [2]]}])], "instance 1: point 2 must be"),
        ([entry(instances=[{"points": [[0, 0], [1, float("nan")], [2, 2]]}])], r"point 1 must be \[x, y\]"),
        ([entry(instances=[{"points": [[0, 0], [1, 10**400], [2, 2]]}])], "point 1 must be"),
        ([entry(instances=[{"points": [[0, 0], [1, True], [2, 2]]}])], "point 1 must be"),
        ([entry(instances=[{"points": SQUARE, "ignore": "no"}])], "`ignore` must be true or false, but got 'no'"),
        ([entry(instances=[{"points": SQUARE, "transcription": 3}])], "`transcription` must be text"),
    ],
)
def test_a_mistake_in_the_labels_is_named_by_page_and_instance(tmp_path: Path, entries: Any, words: str) -> None:
    folder = write(tmp_path, entries)
    (folder / "there.png").touch()
    with pytest.raises(ValueError, match=words) as caught:
        read_annotations(folder, need_split=True)
    assert str(tmp_path / "annotations.json") in str(caught.value)


def test_many_mistakes_are_counted_not_all_listed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="and 30 more mistakes"):
        read_annotations(write(tmp_path, [entry(f"{i}.png", width=-i) for i in range(50)]), need_split=True)


def test_labels_that_are_no_json_are_named(tmp_path: Path) -> None:
    for content in (b"[" * 100_000, b"[" + b"1" * 10_000 + b"]", b"[1,"):
        (tmp_path / "annotations.json").write_bytes(content)
        with pytest.raises(ValueError, match=r"annotations.json: must be JSON, but"):
            read_annotations(tmp_path, need_split=True)
    for content in (b"[\n\xff", "[]".encode("utf-16")):
        (tmp_path / "annotations.json").write_bytes(content)
        with pytest.raises(ValueError, match=r"annotations.json:[12]: must be UTF-8, but .*; save the file as UTF-8"):
            read_annotations(tmp_path, need_split=True)


def test_a_split_may_be_missing_where_pages_are_dealt_and_other_keys_are_left_alone(tmp_path: Path) -> None:
    entries = [entry(split=None, source="a scanner"), entry("1.png", "test", instances=[])]
    pages = read_annotations(write(tmp_path, entries), need_split=False)
    assert {split: [page.name for page in found] for split, found in pages.items()} == {
        None: ["0.png"],
        "test": ["1.png"],
    }
    assert pages["test"][0].polygons == () and pages["test"][0].ignore.shape == (0,)


def test_labels_with_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    write(tmp_path, [entry()])
    file = tmp_path / "annotations.json"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert [page.name for page in read_annotations(tmp_path, need_split=True)["train"]] == ["0.png"]


def test_text_that_is_transcribed_as_do_not_care_is_ignored_unless_ignore_says_otherwise(tmp_path: Path) -> None:
    said = [("###", None), (" ### ", None), ("*", None), ("#", None), ("###", False), ("text", True), (None, None)]
    said += [("####", None), ("\u200b###", None), ("\uff03\uff03\uff03", None)]
    instances = [{"points": SQUARE, "transcription": text, "ignore": ignore} for text, ignore in said]
    (page,) = read_annotations(write(tmp_path, [entry(instances=instances)]), need_split=True)["train"]
    assert page.ignore.tolist() == [True, True, True, False, False, True, False, True, True, True]
    assert page.transcriptions == tuple(text or "" for text, _ in said)


def test_other_tools_keys_for_do_not_care_are_understood_unless_ignore_says_otherwise(tmp_path: Path) -> None:
    said = [{"difficult": True}, {"illegibility": 1}, {"difficult": False}, {"illegible": True, "ignore": False}, {}]
    instances = [{"points": SQUARE, "transcription": "text", **keys} for keys in said]
    (page,) = read_annotations(write(tmp_path, [entry(instances=instances)]), need_split=True)["train"]
    assert page.ignore.tolist() == [True, True, False, False, False]


def test_images_are_found_under_both_unicode_forms_and_by_absolute_paths_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / unicodedata.normalize("NFD", "영수증.png")).touch()
    pages = read_annotations(write(tmp_path, [entry("영수증.png"), entry(f"{tmp_path}/b.png")]), need_split=True)[
        "train"
    ]
    assert [page.name for page in pages] == ["영수증.png", "b.png"]
    assert [page.file for page in pages] == [tmp_path / unicodedata.normalize("NFD", "영수증.png"), tmp_path / "b.png"]
    with pytest.raises(ValueError, match="`image` must be listed once, but page 0 is the same"):
        read_annotations(write(tmp_path, [entry("b.png"), entry(f"{tmp_path}/b.png")]), need_split=True)
