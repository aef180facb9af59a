"""Checks how images of every kind, broken ones, turned ones and bombs are read."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from trainables.data.image_file import EXTENSIONS, FORMATS, BadImage, read_image


def gradient(dtype: type = np.uint8, top: int = 255) -> np.ndarray:
    return np.tile(np.linspace(0, top, 60).astype(dtype), (40, 1))


@pytest.mark.parametrize(
    ("image", "suffix"),
    [
        (Image.fromarray(gradient()), "png"),
        (Image.fromarray(gradient(np.uint16, 65535)), "png"),
        (Image.fromarray(gradient(np.uint16, 65535)), "tif"),
        (Image.fromarray(gradient()).convert("RGBA"), "png"),
        (Image.fromarray(gradient()).convert("LA"), "png"),
        (Image.fromarray(gradient()).convert("P"), "gif"),
        (Image.fromarray(gradient()).convert("CMYK"), "tif"),
        (Image.fromarray(gradient()), "bmp"),
        (Image.fromarray(gradient()).convert("RGB"), "webp"),
        (Image.fromarray(gradient()).convert("RGB"), "ppm"),
        (Image.fromarray(gradient()).convert("RGB"), "jp2"),
        (Image.fromarray(gradient()).convert("RGB"), "mpo"),  # as telephones write JPEG
    ],
)
def test_every_kind_of_image_is_read_as_the_same_rgb(tmp_path: Path, image: Image.Image, suffix: str) -> None:
    path = tmp_path / f"image.{suffix}"
    more = {"webp": {"lossless": True}, "mpo": {"save_all": True, "append_images": [image], "quality": 100}}
    image.save(path, **more.get(suffix, {}))
    pixels = read_image(path, (60, 40))
    assert pixels.shape == (40, 60, 3) and pixels.dtype == np.uint8 and pixels.flags.writeable
    assert np.abs(pixels.astype(int) - gradient()[:, :, None]).max() <= 1


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("suffix", ["tif", "png"])
def test_grey_values_of_a_scanner_in_a_file_of_sixteen_bits_are_not_black(
    tmp_path: Path, bits: int, suffix: str
) -> None:
    Image.fromarray(gradient(np.uint16, 2**bits - 1)).save(tmp_path / f"scan.{suffix}")
    assert np.abs(read_image(tmp_path / f"scan.{suffix}").astype(int) - gradient()[:, :, None]).max() <= 1


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("suffix", ["tif", "png"])
def test_colours_of_a_camera_in_a_file_of_sixteen_bits_are_not_black(tmp_path: Path, bits: int, suffix: str) -> None:
    red = gradient(np.uint16, 2**bits - 1)
    cv2.imwrite(str(tmp_path / f"photo.{suffix}"), np.stack([np.zeros_like(red), red // 2, red], axis=2))  # B, G, R
    pixels = read_image(tmp_path / f"photo.{suffix}").astype(int)
    assert np.abs(pixels - np.stack([gradient(), gradient() // 2, 0 * gradient()], axis=2)).max() <= 1


def test_a_tiff_of_twelve_bits_is_read_by_the_bits_that_it_names(tmp_path: Path) -> None:
    """Two grey values of 12 bits lie in three bytes; the darkest half of the range stays dark."""
    wide = gradient(np.uint16, 2047)
    first, second = wide[:, 0::2].astype(int), wide[:, 1::2].astype(int)
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=2).astype(np.uint8).tobytes()
    entries = [(256, 60), (257, 40), (258, 12), (259, 1), (262, 1), (273, 134), (277, 1), (278, 40), (279, len(packed))]
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    head = struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + directory + struct.pack("<I", 0)
    (tmp_path / "scan.tif").write_bytes(head.ljust(134, b"\0") + packed)
    assert np.abs(read_image(tmp_path / "scan.tif").astype(int) - gradient(top=127)[:, :, None]).max() <= 1


def test_the_names_of_pictures_are_those_that_pil_gives_to_the_formats_that_are_read() -> None:
    known = {ending for ending, name in Image.registered_extensions().items() if name in (*FORMATS, "MPO")}
    assert set(EXTENSIONS) >= known - {".j2p", ".jxl"} and all(ending == ending.lower() for ending in EXTENSIONS)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("._crop.jpg", "it holds a Mac's notes on another file: remove it, and take it out of the labels"),
        ("photo.HEIC", "save it as JPEG or PNG"),
        ("crop.jpg", "replace or remove it"),
    ],
)
def test_what_to_do_with_a_file_that_is_no_picture_depends_on_what_it_is(
    tmp_path: Path, name: str, advice: str
) -> None:
    (tmp_path / name).write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
    with pytest.raises(BadImage, match=f"cannot be read as an image .*; {advice}$"):
        read_image(tmp_path / name)


def test_transparent_parts_are_white(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4, 4), np.uint8)).save(tmp_path / "clear.png")
    assert read_image(tmp_path / "clear.png").min() == 255


def test_black_and_white_images_are_read(tmp_path: Path) -> None:
    Image.fromarray(gradient() > 100).save(tmp_path / "bits.png")
    assert set(np.unique(read_image(tmp_path / "bits.png"))) == {0, 255}


def test_an_image_is_turned_upright_as_its_camera_says(tmp_path: Path) -> None:
    path = tmp_path / "turned.png"
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    Image.fromarray(gradient()).save(path, exif=exif)
    upright = read_image(path, (40, 60))
    assert upright.shape == (60, 40, 3)
    assert np.array_equal(upright[:, :, 0], np.rot90(gradient(), -1))
    assert np.array_equal(read_image(path), upright)
    assert read_image(path, (60, 40)).shape == (40, 60, 3)  # labelled as stored


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + b"\0" * 50])
def test_a_file_that_is_no_image_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.raises(BadImage, match=r"bad.png: cannot be read as an image"):
        read_image(tmp_path / "bad.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_a_file_that_was_cut_short_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut.{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadImage, match="cannot be read as an image"):
        read_image(path)


def test_a_small_file_that_stands_for_a_vast_image_is_refused(tmp_path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    assert (tmp_path / "bomb.png").stat().st_size < 100_000
    with pytest.raises(BadImage, match=r"bomb.png: must have at most \d+ pixels"):
        read_image(tmp_path / "bomb.png")


def test_a_picture_that_is_a_program_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PIL hands an EPS file, whatever it is called, to the `gs` that PATH finds."""
    gs, ran, path = tmp_path / "gs", tmp_path / "ran", tmp_path / "page.png"
    gs.write_text(f"#!/bin/sh\necho >> {ran}\n")
    gs.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n")
    with pytest.raises(BadImage, match="cannot be read as an image"):
        read_image(path)
    assert not ran.exists()
    with Image.open(path) as image, pytest.raises(OSError):
        image.load()
    assert ran.exists(), "PIL has changed its ways: this test sees nothing"


def test_a_pipe_in_place_of_an_image_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "page.png")
    for path in (tmp_path / "page.png", tmp_path, Path("/dev/zero")):
        with pytest.raises(BadImage, match="must be a file, but is a folder, a pipe or a device"):
            read_image(path)


def test_an_absent_image_and_one_of_another_size_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match=r"none.png: no such file"):
        read_image(tmp_path / "none.png")
    Image.new("RGB", (30, 20)).save(tmp_path / "small.png")
    with pytest.raises(BadImage, match="must be 60 x 40 px as its annotation says, but is 30 x 20 px"):
        read_image(tmp_path / "small.png", (60, 40))


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (100, 100)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 9_999)
    with pytest.warns(Image.DecompressionBombWarning), pytest.raises(BadImage, match="must have at most 9999 pixels"):
        read_image(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(BadImage, match=r"bomb.png: must have at most 100 pixels"):
        read_image(tmp_path / "bomb.png")
