"""Example pictures: small enough for a page, and never a reason to fail."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image

from reports.pages.pictures import LONGEST_PIXELS, MOST_PICTURES, example_pictures


def save(path: Path, size: tuple[int, int] = (40, 30), *, noise: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.effect_noise(size, 80).convert("RGB") if noise else Image.new("RGB", size, "#345678")
    image.save(path, "PNG")


def test_pictures_are_shown_by_name_as_they_are(tmp_path):
    for name in ("b_2.png", "a-1.png"):
        save(tmp_path / "examples" / name)
    found = example_pictures(tmp_path)
    assert [picture.caption for picture in found.shown] == ["a 1", "b 2"]
    assert (found.shown[0].width, found.shown[0].height, found.left_out) == (40, 30, 0)
    data = base64.b64decode(found.shown[0].uri.removeprefix("data:image/png;base64,"))
    assert data == (tmp_path / "examples" / "a-1.png").read_bytes()


def test_a_large_picture_becomes_a_smaller_one(tmp_path):
    save(tmp_path / "examples" / "page.png", (2400, 1800), noise=True)
    [picture] = example_pictures(tmp_path).shown
    assert picture.uri.startswith("data:image/jpeg;base64,")
    with Image.open(io.BytesIO(base64.b64decode(picture.uri.split(",")[1]))) as image:
        assert image.size == (picture.width, picture.height) == (LONGEST_PIXELS, 1200)


def test_what_is_no_picture_is_left_out(tmp_path):
    save(tmp_path / "examples" / "good.png")
    (tmp_path / "examples" / "half.png").write_bytes((tmp_path / "examples" / "good.png").read_bytes()[:60])
    (tmp_path / "examples" / "page.png").write_text("<script>alert(1)</script>")
    (tmp_path / "examples" / "vector.svg").write_text("<svg/>")
    (tmp_path / "examples" / "folder.png").mkdir()
    found = example_pictures(tmp_path)
    assert [picture.caption for picture in found.shown] == ["good"]
    assert found.left_out == 2


def test_a_small_file_that_stands_for_a_vast_picture_is_left_out(tmp_path):
    (tmp_path / "examples").mkdir()
    bomb = tmp_path / "examples" / "bomb.png"
    Image.new("1", (10_000, 8_000)).save(bomb)
    assert bomb.stat().st_size < 100_000
    assert example_pictures(tmp_path).shown == ()


def test_of_many_pictures_the_first_are_shown_and_the_rest_counted(tmp_path):
    for number in range(MOST_PICTURES + 3):
        save(tmp_path / "examples" / f"{number:02d}.png", (4, 4))
    found = example_pictures(tmp_path)
    assert len(found.shown) == MOST_PICTURES and found.left_out == 3
    assert example_pictures(tmp_path / "elsewhere").shown == ()
