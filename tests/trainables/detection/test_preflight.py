"""Checks what is found in folders of pages that were spoilt on purpose."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from trainables.detection.config import Config
from trainables.detection.dataset import load_pages
from trainables.detection.preflight import check
from trainables.trainable import Finding

pytestmark = pytest.mark.usefixtures("own_cache")

TINY = Config(backbone="tiny", pretrained=False, resolution=64, batch_size=2, epochs=1)


def page(image: str, split: str, points: list[list[float]] | None = None, ignore: bool = False) -> dict[str, Any]:
    points = points or [[10, 10], [90, 10], [90, 30], [10, 30]]
    instance = {"points": points, "ignore": ignore}
    return {"image": image, "width": 100, "height": 80, "split": split, "instances": [instance]}


def folder(path: Path, pages: list[dict[str, Any]]) -> dict[str, Any]:
    path.mkdir(parents=True, exist_ok=True)
    for index, entry in enumerate(pages):
        image = np.random.default_rng(index).integers(0, 255, (80, 100, 3), dtype=np.uint8)
        Image.fromarray(image).save(path / entry["image"])
    (path / "annotations.json").write_text(json.dumps(pages))
    return {"root": str(path)}


def four() -> list[dict[str, Any]]:
    return [page("0.png", "train"), page("1.png", "train"), page("2.png", "val"), page("3.png", "test")]


def found(config: Config, data: dict[str, Any], directory: Path) -> list[Finding]:
    return list(check(config, data, directory))


def problems(findings: list[Finding]) -> dict[str, str]:
    by_check: dict[str, list[str]] = {}
    for finding in findings:
        if finding.problem:
            by_check.setdefault(finding.check, []).append(finding.problem)
    return {check: "; ".join(texts) for check, texts in by_check.items()}


def kinds(findings: list[Finding]) -> list[str | None]:
    return [finding.kind for finding in findings if finding.problem]


def test_good_data_have_no_problem_and_a_picture_is_drawn(tmp_path: Path) -> None:
    findings = found(TINY, folder(tmp_path / "data", four()), tmp_path / "out")
    assert problems(findings) == {}
    by_name = {finding.check: finding for finding in findings}
    assert "train: 2 pages, 2 texts; val: 1 pages, 1 texts; test: 1 pages" in by_name["labels"].detail
    assert "2 x 3 x 64 x 64" in by_name["one batch"].detail
    assert "0.3 M weights on c" in by_name["one step"].detail and "1 steps make an epoch" in by_name["one step"].detail
    (picture,) = by_name["one batch"].pictures
    assert picture == tmp_path / "out" / "batch.png" and Image.open(picture).size == (1440, 960)


def test_drawn_receipts_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSWEEP_CACHE", str(tmp_path))
    data = {"root": "synthetic/receipts", "pages": 4, "size": 128, "seed": 17}
    config = Config(backbone="tiny", pretrained=False, resolution=128, batch_size=2, rotate_prob=1.0, crop_prob=1.0)
    assert problems(found(config, data, tmp_path)) == {}


def test_labels_that_cannot_be_read_are_the_only_finding(tmp_path: Path) -> None:
    (finding,) = found(TINY, {"root": str(tmp_path)}, tmp_path)
    assert finding.problem is not None and "has no annotations.json" in finding.problem


def test_missing_cut_and_shrunk_images_are_named_and_nothing_is_built_on_them(tmp_path: Path) -> None:
    data = folder(tmp_path, four())
    (tmp_path / "0.png").unlink()
    (tmp_path / "2.png").write_bytes((tmp_path / "2.png").read_bytes()[:3000])
    Image.new("RGB", (50, 40)).save(tmp_path / "3.png")
    findings = found(TINY, data, tmp_path / "out")
    problem = problems(findings)["images"]
    assert "0.png: no such file" in problem and "2.png: cannot be read" in problem
    assert "3.png: must be 100 x 80 px as its annotation says, but is 50 x 40 px" in problem
    assert "one batch" not in {finding.check for finding in findings}


def test_the_same_image_in_two_splits_is_named(tmp_path: Path) -> None:
    data = folder(tmp_path, four())
    shutil.copy(tmp_path / "1.png", tmp_path / "3.png")
    assert "1.png (train) = 3.png (test)" in problems(found(TINY, data, tmp_path))["splits"]


def test_the_same_image_twice_in_one_split_is_no_leak(tmp_path: Path) -> None:
    data = folder(tmp_path, four())
    shutil.copy(tmp_path / "1.png", tmp_path / "0.png")
    findings = found(TINY, data, tmp_path)
    assert "splits" not in problems(findings)
    assert any("1 pictures are there more than once" in finding.detail for finding in findings)


def test_polygons_outside_of_the_page_or_without_area_are_named(tmp_path: Path) -> None:
    pages = four()
    pages[0] = page("0.png", "train", [[80, 10], [180, 10], [180, 30], [80, 30]])
    pages[2] = page("2.png", "val", [[10, 10], [50, 10], [90, 10]])
    problem = problems(found(TINY, folder(tmp_path, pages), tmp_path))["polygons"]
    assert "0.png, instance 0: 80% of it lies outside of the page of 100 x 80 px" in problem
    assert "2.png, instance 0: has an area of 0.00 px" in problem


def test_the_same_text_marked_twice_is_named_whatever_its_corners(tmp_path: Path) -> None:
    pages = four()
    square = [[10, 10], [90, 10], [90, 30], [10, 30]]
    again = [[90.4, 30], [10, 30.3], [10, 20], [10, 10], [90, 10]]
    pages[0]["instances"] = [{"points": square}, {"points": [[20, 40], [60, 40], [60, 60]]}, {"points": again}]
    pages[1]["instances"] = [{"points": square}, {"points": [[10, 12], [90, 12], [90, 40], [10, 40]]}]
    pages[2]["instances"] = [{"points": square, "ignore": True}, {"points": square, "ignore": True}, {"points": again}]
    findings = found(TINY, folder(tmp_path, pages), tmp_path)
    assert problems(findings)["polygons"].startswith(
        "3 texts are marked twice: 0.png, instances 0 and 2; 2.png, instances 0 and 2; 2.png, instances 1 and 2; each"
    )
    assert "same_polygon_twice" in kinds(findings)


def test_points_that_are_shares_of_the_page_are_one_problem(tmp_path: Path) -> None:
    shares = [[0.1, 0.2], [0.9, 0.2], [0.9, 0.5], [0.1, 0.5]]
    pages = [page("0.png", "train", shares), page("1.png", "train", shares), page("2.png", "val", shares)]
    findings = found(TINY, folder(tmp_path, pages), tmp_path)
    assert kinds(findings)[0] == "points_from_0_to_1"
    assert problems(findings)["polygons"].startswith(
        "`points` must be pixels, but all those of 3 pages lie between 0 and 1: 0.png (100 x 80 px); 1.png"
    )


def test_points_in_percent_are_one_problem(tmp_path: Path) -> None:
    percent = [[10, 60], [90, 60], [90, 80], [10, 80]]
    pages = [page(f"{i}.png", "val" if i == 5 else "train", percent) | {"width": 900, "height": 1200} for i in range(6)]
    assert "points_in_percent" in kinds(found(TINY, folder(tmp_path, pages), tmp_path))
    pages[0] = page("0.png", "train", [[10, 60], [190, 60], [90, 80]]) | {"width": 900, "height": 1200}
    assert "points_in_percent" not in kinds(found(TINY, folder(tmp_path, pages), tmp_path))


def test_text_to_be_ignored_is_counted_and_contradictions_are_named(tmp_path: Path) -> None:
    pages = four()
    for number, entry in enumerate(pages[:2]):
        entry["instances"] += [
            {"points": [[10, 40 + 9 * i], [90, 40 + 9 * i], [90, 48 + 9 * i]], "transcription": "###"} for i in range(1)
        ]
        entry["instances"][0]["transcription"] = f"text {number}"
    findings = found(TINY, folder(tmp_path / "a", pages), tmp_path)
    assert findings[0].detail.startswith("train: 2 pages, 4 texts (2 ignored, 2 of them transcribed as ###); val")
    pages[0]["instances"][1]["ignore"] = False
    (labels, *_) = found(TINY, folder(tmp_path / "b", pages), tmp_path)
    assert labels.kind == "do_not_care_learnt" and labels.problem is not None
    assert "1 texts are transcribed as ### (do not care), but say `ignore: false`: 0.png, instance 1" in labels.problem


def test_the_one_cut_page_of_many_is_named_and_left_out_where_data_say_so(tmp_path: Path) -> None:
    splits = ["train"] * 380 + ["val"] * 30
    pages = [page(f"{number}.jpg", split) for number, split in enumerate(splits)]
    data = folder(tmp_path, pages)
    cut = tmp_path / "101.jpg"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 2 // 3])
    findings = found(TINY, data, tmp_path / "out")
    (problem,) = (finding for finding in findings if finding.problem)
    assert problem.kind == "unreadable_pictures" and "409 of 410 decoded" in problem.detail
    assert problem.problem is not None and f"{cut}: cannot be read as an image" in problem.problem
    findings = found(TINY, data | {"on_bad": "skip"}, tmp_path / "out")
    assert kinds(findings) == [] and "train: 379 pages" in findings[0].detail
    assert f"1 of 410 left out, because they cannot be read: {cut}: cannot" in findings[1].detail
    assert findings[-1].check == "one step"
    kept = load_pages(data | {"on_bad": "skip"}, "train")
    assert len(kept) == 379 and "101.jpg" not in {each.name for each in kept}


def test_turned_pages_are_counted(tmp_path: Path) -> None:
    data = folder(tmp_path, four())
    exif = Image.Exif()
    exif[0x0112] = 3
    with Image.open(tmp_path / "1.png") as image:
        image.save(tmp_path / "1.png", exif=exif)
    findings = found(TINY, data, tmp_path)
    assert "1 are stored turned (EXIF), see whether their polygons fit: 1.png" in findings[1].detail


def test_a_hand_drawn_label_that_juts_out_a_little_is_no_problem(tmp_path: Path) -> None:
    pages = four()
    pages[0] = page("0.png", "train", [[-3, 10], [90, 10], [90, 30], [-3, 30]])
    assert "polygons" not in problems(found(TINY, folder(tmp_path, pages), tmp_path))


def test_mostly_ignored_text_is_doubted(tmp_path: Path) -> None:
    pages = [page("0.png", "train", ignore=True), page("1.png", "train", ignore=True), *four()[2:]]
    assert "train has no text to find" in problems(found(TINY, folder(tmp_path, pages), tmp_path))["labels"]


def test_text_too_small_for_the_resolution_is_counted(tmp_path: Path) -> None:
    pages = four()
    pages[0] = page("0.png", "train", [[10, 10], [12, 10], [12, 12], [10, 12]])
    problem = problems(found(TINY, folder(tmp_path, pages), tmp_path))["shrunk labels"]
    assert problem == "50% of the texts are too small to be learnt; raise `resolution`"


def test_a_network_that_cannot_be_built_is_a_finding(tmp_path: Path) -> None:
    config = Config(backbone="resnett50", pretrained=False, resolution=64, batch_size=2)
    assert "did you mean" in problems(found(config, folder(tmp_path, four()), tmp_path))["one step"]


def test_a_loss_that_explodes_is_a_finding(tmp_path: Path) -> None:
    config = Config(
        backbone="tiny", pretrained=False, resolution=64, batch_size=2, lr=1e30, gradient_clip=0.0, optimizer="sgd"
    )
    assert (
        "not finite after one step; lower `lr`"
        in problems(found(config, folder(tmp_path, four()), tmp_path))["one step"]
    )
