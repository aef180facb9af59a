"""Checks labels of both forms as people and tools write them, and that every mistake is named by file and line."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest

from tests.harness.folders import DATA
from trainables.recognition.data_section import CropSection
from trainables.recognition.labels import Label, read_labels


def read(root: Path, content: str | bytes | None = None, name: str = "labels.csv", **data: Any) -> tuple[Label, ...]:
    """Reads the labels of `root`, beside empty crops a.jpg, b.jpg and deep/c.jpg."""
    (root / "deep").mkdir(exist_ok=True)
    for crop in ("a.jpg", "b.jpg", "deep/c.jpg"):
        (root / crop).touch()
    if content is not None:
        (root / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_labels(CropSection.parse({"root": str(root)} | data))


def seen(labels: tuple[Label, ...]) -> list[tuple[object, ...]]:
    return [(label.path, label.text, label.split, label.group) for label in labels]


@pytest.mark.parametrize(
    "labels",
    [
        'path,text,split\na.jpg,"12가, 34",train\nb.jpg,"say ""no""",val\n',
        '\ufeffpath,text,split\r\na.jpg,"12가, 34",train\r\n\r\nb.jpg,"say ""no""",val',
        'Split, Text ,path,note\ntrain,"12가, 34",./a.jpg,\nval,"say ""no""",deep/../b.jpg,x\n',
        unicodedata.normalize("NFD", 'path,text,split\na.jpg,"12가, 34",train\nb.jpg,"say ""no""",val\n'),
    ],
    ids=["plain", "byte order mark and CRLF", "other columns and order", "decomposed"],
)
def test_csv_is_read_as_tools_write_it(tmp_path: Path, labels: str) -> None:
    wanted = [("a.jpg", "12가, 34", "train", None), ("b.jpg", 'say "no"', "val", None)]
    assert seen(read(tmp_path, labels)) == wanted


def test_blanks_at_the_ends_of_fields_are_no_text(tmp_path: Path) -> None:
    rows = 'a.jpg , 12가 34\u200b, train\n b.jpg,"\u3000서울, 1\t", val\n./deep/c.jpg, \u2028x y\ufeff,test \n'
    labels = read(tmp_path, "path, text, split\n" + rows)
    wanted = [
        ("a.jpg", "12가 34", "train", None),
        ("b.jpg", "서울, 1", "val", None),
        ("deep/c.jpg", "x y", "test", None),
    ]
    assert seen(labels) == wanted


def test_invisible_characters_around_the_names_of_columns_are_no_part_of_them(tmp_path: Path) -> None:
    assert len(read(tmp_path, "\ufeff\ufeffpath,\u200btext\u00a0,split\na.jpg,1,train\n")) == 1


def test_a_blank_that_is_in_the_name_of_a_file_stays(tmp_path: Path) -> None:
    (tmp_path / " a.jpg").touch()
    labels = read(tmp_path, HEADER + " a.jpg,1,train\na.jpg,2,val\n")
    assert [label.path for label in labels] == [" a.jpg", "a.jpg"]


@pytest.mark.parametrize(("written", "stored"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFC", "NFC"), ("NFD", "NFD")])
def test_a_name_is_found_under_both_unicode_forms(tmp_path: Path, written: str, stored: str) -> None:
    path = "번호판/차량_000.jpg"
    file = tmp_path / unicodedata.normalize(stored, "번호판") / unicodedata.normalize("NFC", "차량_000.jpg")
    file.parent.mkdir()
    file.touch()
    (label,) = read(tmp_path, f"{HEADER}{unicodedata.normalize(written, path)},1,train\n")
    assert tmp_path / label.path == file
    with pytest.raises(ValueError, match=r"labels.csv:3: `path` must be given once"):
        read(tmp_path, HEADER + "".join(f"{unicodedata.normalize(form, path)},1,train\n" for form in ("NFC", "NFD")))


def test_the_root_and_the_files_it_names_are_found_under_both_unicode_forms(tmp_path: Path) -> None:
    root = tmp_path / unicodedata.normalize("NFD", "번호판")
    root.mkdir()
    (root / unicodedata.normalize("NFD", "사전.txt")).write_text("1\n")
    read(root, HEADER + "a.jpg,1,train\n")
    section = CropSection.parse({"root": str(tmp_path / "번호판"), "charset": "사전.txt"})
    assert section.folder == root and section.charset is not None and section.charset.is_file()
    assert [label.path for label in read_labels(section)] == ["a.jpg"]


def test_absolute_paths_that_lie_in_the_root_are_taken_from_there(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "root")
    rows = f"{tmp_path}/root/a.jpg,1,train\n{tmp_path}/link/b.jpg,2,val\n{tmp_path}/root/x/../deep//c.jpg,3,test\n"
    for root in ("root", "link"):
        assert [label.path for label in read(tmp_path / root, HEADER + rows)] == ["a.jpg", "b.jpg", "deep/c.jpg"]


def test_crops_that_lie_in_another_folder_are_told_once_with_the_root_to_give(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "a.jpg").touch()
    (tmp_path / "b.jpg").touch()
    wanted = (
        f"^{tmp_path}/root/labels.csv:2: `path` must lie in {tmp_path}/root, but its crop lies in {tmp_path}; set "
        rf"data.root to that folder, or one above it, and data.labels to {tmp_path}/root/labels.csv \(1 more like it\)$"
    )
    with pytest.raises(ValueError, match=wanted):
        read(tmp_path / "root", HEADER + f"{tmp_path}/a.jpg,1,train\n{tmp_path}/b.jpg,2,val\n")


def test_a_crop_labelled_as_unreadable_is_known(tmp_path: Path) -> None:
    labels = read(tmp_path, HEADER + "a.jpg,###,train\nb.jpg,*,val\ndeep/c.jpg,### ,test\n")
    assert [label.unreadable for label in labels] == [True, False, True]
    labels = read(tmp_path, HEADER + "a.jpg,####,train\nb.jpg,#,val\ndeep/c.jpg,\uff03\uff03\uff03\u200b,test\n")
    assert [label.unreadable for label in labels] == [True, False, True]


def test_quotes_after_a_blank_are_no_part_of_a_text_whatever_the_header_looks_like(tmp_path: Path) -> None:
    labels = read(tmp_path, HEADER + 'a.jpg, "1, 2",train\nb.jpg,"7",val\ndeep/c.jpg, 3 "x", test\n')
    assert [label.text for label in labels] == ["1, 2", "7", '3 "x"']


def test_a_path_is_found_without_what_is_invisible_at_its_ends(tmp_path: Path) -> None:
    labels = read(tmp_path, HEADER + "\u00a0a.jpg\u200b,1,train\n\u200bdeep/c.jpg,2,val\n")
    assert [label.path for label in labels] == ["a.jpg", "deep/c.jpg"]


def test_where_pictures_are_left_out_a_missing_crop_is_no_mistake(tmp_path: Path) -> None:
    labels = read(tmp_path, HEADER + "no.jpg,1,train\na.jpg,2,val\n", on_bad="skip")
    assert [label.path for label in labels] == ["no.jpg", "a.jpg"]
    with pytest.raises(ValueError, match=r"data.on_bad: must be stop or skip, but got 'ignore'"):
        read(tmp_path, on_bad="ignore")


def test_a_column_group_or_page_says_what_belongs_together(tmp_path: Path) -> None:
    header, rows = "path,text,split,{}\n", "a.jpg,1,train,7\nb.jpg,1,val,\n"
    for name in ("group", "page"):
        assert [label.group for label in read(tmp_path, header.format(name) + rows)] == ["7", None]
    both = "path,text,split,page,group\na.jpg,1,train,7,car 3\nb.jpg,1,val,7,\n"
    assert [label.group for label in read(tmp_path, both)] == ["car 3", "7"]


def test_of_a_table_of_readings_the_apostrophes_before_formulas_are_no_text(tmp_path: Path) -> None:
    rows = "a.jpg,'=1+1,train{0}\nb.jpg,'-ing,val{0}\ndeep/c.jpg,'twas,val{0}\n"
    readings = read(tmp_path, "path,text,split,confidence\n" + rows.format(",0.9"))
    assert [label.text for label in readings] == ["=1+1", "-ing", "'twas"]
    labels = read(tmp_path, "path,text,split\n" + rows.format(""))
    assert [label.text for label in labels] == ["'=1+1", "'-ing", "'twas"]


def test_paddleocr_files_have_a_path_a_tab_and_a_text(tmp_path: Path) -> None:
    (tmp_path / "val.txt").write_bytes('\ufeffdeep/c.jpg\t"quoted", as it is \r\n'.encode())
    labels = read(tmp_path, "a.jpg\t12가 3456\nb.jpg\t7\n\n", "train.txt")
    assert seen(labels) == [
        ("a.jpg", "12가 3456", "train", None),
        ("b.jpg", "7", "train", None),
        ("deep/c.jpg", '"quoted", as it is', "val", None),
    ]
    assert labels[1].where == f"{tmp_path}/train.txt:2"


def test_one_file_without_splits_is_for_folds(tmp_path: Path) -> None:
    labels = read(tmp_path, "a.jpg\t1\nb.jpg\t2\n", "all.txt", labels="all.txt", folds=2)
    assert [label.split for label in labels] == [None, None]
    with pytest.raises(
        ValueError, match=r"all.txt:1: `split` must be train, val or test, but is missing; .* data.folds"
    ):
        read(tmp_path, labels="all.txt")


def test_a_mapping_gives_the_split_of_csv_files_too(tmp_path: Path) -> None:
    labels = read(tmp_path, "path,text\na.jpg,1\n", "t.csv", labels={"test": "t.csv"})
    assert seen(labels) == [("a.jpg", "1", "test", None)]


def test_a_line_of_two_hundred_characters_and_one_of_one_are_labels(tmp_path: Path) -> None:
    long = "다람쥐 헌 쳇바퀴에 타고파 " * 14
    labels = read(tmp_path, f"path,text,split\na.jpg,{long},train\nb.jpg,1,val\n")
    assert [label.text for label in labels] == [long.strip(), "1"] and len(long) > 200


HEADER = "path,text,split\n"


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ("", "labels.csv: must hold the label of a crop, but holds none"),
        (HEADER, "labels.csv: must hold the label of a crop, but holds none"),
        ("a.jpg,1,train\n", "labels.csv:1: must be a header .* path and text once, but got 'a.jpg,1,train'"),
        ("path,split\n", "labels.csv:1: must be a header .* text once, but got 'path,split'"),
        (
            HEADER + "a.jpg,1,2,train\n",
            "labels.csv:2: must have 3 fields .* but got 4; quote a text that holds a comma",
        ),
        (HEADER + "a.jpg,1\n", "labels.csv:2: must have 3 fields as the header has, but got 2"),
        (HEADER + 'a.jpg,"1"2,train\n', "labels.csv:2: must be a row of CSV, but"),
        (HEADER + 'b.jpg,2,val\na.jpg,"1,train\n', "labels.csv:3: must be a row of CSV, but unexpected end of data"),
        (HEADER + "a.jpg,1,training\n", "labels.csv:2: .* but got 'training'; did you mean `train`?"),
        (HEADER + "a.jpg,1,TRAIN\n", "labels.csv:2: .* but got 'TRAIN'; did you mean `train`?"),
        (HEADER + "a.jpg,1,validation\nb.jpg,2,validation\n", r"csv:2: .* did you mean `val`\? \(1 more like it\)"),
        (HEADER + "a.jpg,1,dev\n", "but got 'dev'; did you mean `val`?"),
        (HEADER + "a.jpg,1,Q\n", "but got 'Q'$"),
        ("filename,words\na.jpg,1\n", "got 'filename,words'; rename `filename` to `path` and `words` to `text`"),
        ("path;text;split\na.jpg;1;val\n", "its fields are separated by `;`: save it with commas"),
        (HEADER + "A.JPG,1,train\n", "'A.JPG' is not there; did you mean `a.jpg`?"),
        (HEADER + "a.png,1,train\n", "'a.png' is not there; did you mean `a.jpg`?"),
        (HEADER + "plates/deep/c.jpg,1,train\n", "is not there; did you mean `deep/c.jpg`?"),
        (HEADER + "/old/home/deep/c.jpg,1,train\n", "must lie in .*; did you mean `deep/c.jpg`?"),
        (HEADER + "no\u200bt.jpg,1,train\n", r"is not there; it holds .* \(U\+200B\), which cannot be seen: remove it"),
        (HEADER + "a.jpg,1,\n", "labels.csv:2: `split` must be train, val or test, but is missing"),
        (HEADER + "a.jpg,,train\n", "labels.csv:2: `text` must not be empty, but got ''"),
        (HEADER + "a.jpg,  ,train\n", "labels.csv:2: `text` must not be empty, but got '  '"),
        (HEADER + 'a.jpg,"1\n2",train\nb.jpg,,val\n', r"labels.csv:2: `text` must be one line .* '\\n' \(U\+000A\)"),
        (HEADER + 'a.jpg,"1\n2",train\nb.jpg,,val\n', "labels.csv:4: `text` must not be empty"),
        (HEADER + "a.jpg,1\x00,train\n", r"labels.csv:2: `text` must be one line .*\(U\+0000\)"),
        (HEADER + ",1,train\n", "labels.csv:2: `path` must be the path of a crop, but got ''"),
        (HEADER + "no.jpg,1,train\n", "labels.csv:2: `path` must be a file in .*'no.jpg' is not there; correct"),
        (HEADER + "deep,1,train\n", "labels.csv:2: `path` must be a file in"),
        (HEADER + "deep\\c.jpg,1,train\n", "is not there; did you mean `deep/c.jpg`?"),
        (HEADER + "depp\\d.jpg,1,train\n", "is not there; write / in place of"),
        (HEADER + "../a.jpg,1,train\n", "labels.csv:2: `path` must lie in .* but got '../a.jpg'"),
        (HEADER + "deep/../../a.jpg,1,train\n", "labels.csv:2: `path` must lie in"),
        (HEADER + "/etc/passwd,1,train\n", "labels.csv:2: `path` must lie in"),
        (HEADER + "C:\\a.jpg,1,train\n", "labels.csv:2: `path` must lie in"),
        (
            HEADER + "a.jpg,1,train\n./a.jpg,2,val\n",
            "labels.csv:3: `path` must be given once, but 'a.jpg' is in .*:2 too",
        ),
        (
            (HEADER + "a.jpg,1,train\nb.jpg,서울,val\n").encode("cp949"),
            "labels.csv:3: must be UTF-8, but holds the byte 0x",
        ),
        ((HEADER + "a.jpg,1,train\n").encode("utf-16"), "labels.csv:1: must be UTF-8, but begins as UTF-16"),
    ],
)
def test_a_mistake_in_csv_is_named_by_its_line(tmp_path: Path, labels: str | bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read(tmp_path, labels)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ("\n\n", "train.txt: must hold the label of a crop"),
        ("a.jpg 1\n", "train.txt:1: must be a path, one tab and a text, but got 0 tabs in 'a.jpg 1'"),
        ("b.jpg\t2\na.jpg\t1\t2\n", "train.txt:2: must be a path, one tab and a text, but got 2 tabs"),
        ('["a.jpg", "b.jpg"]\t1\n', "train.txt:1: must begin with the path of one crop, but got the list"),
        ("a.jpg\t\n", "train.txt:1: `text` must not be empty"),
        ("a.jpg\t1\na.jpg\t1\n", "train.txt:2: `path` must be given once"),
        (
            'a.jpg\t[{"transcription": "1", "points": []}]\n',
            "train.txt:1: must hold the text of one crop, but holds Padd",
        ),
    ],
)
def test_a_mistake_in_a_paddleocr_file_is_named_by_its_line(tmp_path: Path, labels: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read(tmp_path, labels, "train.txt")


def test_all_mistakes_of_all_files_are_said_at_once_within_bounds(tmp_path: Path) -> None:
    (tmp_path / "val.txt").write_text("".join(f"a.jpg {number}\n" for number in range(29)))
    with pytest.raises(ValueError) as caught:
        read(tmp_path, "no.jpg\t\n", "train.txt")
    lines = str(caught.value).splitlines()
    assert len(lines) == 21 and lines[-1] == f"{tmp_path}: and 11 more mistakes"
    assert [line.split(": ")[0] for line in lines[:3]] == [
        f"{tmp_path}/{at}" for at in ("train.txt:1",) * 2 + ("val.txt:1",)
    ]


def test_labels_that_changed_are_read_again(tmp_path: Path) -> None:
    assert [label.text for label in read(tmp_path, HEADER + "a.jpg,1,train\n")] == ["1"]
    assert [label.text for label in read(tmp_path, HEADER + "a.jpg,12,train\n")] == ["12"]


@pytest.mark.data
def test_real_labels_are_read_by_split_and_page() -> None:
    plates = read_labels(CropSection.parse({"root": str(DATA / "ccpd_plates")}))
    lines = read_labels(CropSection.parse({"root": str(DATA / "tapuscorpus_lines")}))
    assert [sum(label.split == split for label in plates) for split in ("train", "val", "test")] == [700, 150, 150]
    assert [sum(label.split == split for label in lines) for split in ("train", "val", "test")] == [809, 251, 256]
    assert plates[0].text == "苏AP48A8" and lines[0].group == "93" and lines[1].text == "Croquons, il est excellent"
