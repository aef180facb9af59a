"""Reads an image file of any kind as upright 8-bit RGB, or says why it cannot."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import TiffImageFile

Pixels = npt.NDArray[np.uint8]

# Pictures of pages and crops come in these. PIL knows forty, and starts Ghostscript to read one of them, EPS.
FORMATS = ("PNG", "JPEG", "JPEG2000", "WEBP", "TIFF", "BMP", "GIF", "PPM")
# How the names of such files end, in small letters.
EXTENSIONS = (
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".j2c", ".webp",
    ".tif", ".tiff", ".bmp", ".dib", ".gif", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm",
)  # fmt: skip
UNKNOWN_FORMATS = (
    ".heic",
    ".heif",
    ".avif",
)  # of telephones; PIL reads them only with libraries that we do not ask for
MAC_NOTES = "._"  # Archives of a Mac hold, beside name.jpg, notes on it that are called ._name.jpg.
# Raise it whenever the same file gives other pixels: what was kept of it on this machine is then made anew.
READING_VERSION = 2
_BITS_PER_SAMPLE = 258  # a tag of TIFF
_DEPTHS = (8, 10, 12, 14, 16)  # bits of a grey value
_ORIENTATION = 0x0112  # the EXIF tag that says how a camera was held


class BadImage(ValueError):
    """Raised for a file that cannot be read as the image it should be; the message names the file."""


@dataclass(frozen=True)
class ImageFile:
    """Holds the path of a picture; `labelled_size` (width, height) is what its labels were made for, if they say."""

    path: Path
    labelled_size: tuple[int, int] | None = None

    def read(self) -> Pixels:
        """Reads the picture (see read_image). Raises BadImage."""
        return read_image(self.path, self.labelled_size)

    def size(self) -> tuple[int, int]:
        """Reads (width, height) of the upright picture from the head of the file. Raises BadImage."""
        return read_size(self.path)

    def identity(self) -> str:
        """Returns a text that changes when the file does: its path, inode, size and times.

        The time of change is the kernel's and cannot be set back, as tools that copy do with the time of modification.
        Reading the bytes of all pictures for each trial would cost more than a cache saves.
        """
        try:
            found = self.path.stat()
        except OSError:
            return f"{self.path} absent"
        labelled = "" if self.labelled_size is None else f" {self.labelled_size}"
        times = f"{found.st_mtime_ns} {found.st_ctime_ns}"
        return f"v{READING_VERSION} {self.path} {found.st_ino} {found.st_size} {times}{labelled}"


def read_image(path: Path, size: tuple[int, int] | None = None) -> Pixels:
    """Returns the image at `path`, height x width x 3, uint8 RGB, turned upright by its EXIF orientation.

    size: (width, height) that the labels were made for; where only the image as stored has it, nothing is turned.
    Transparent parts become white, 16 bits become 8. Raises BadImage for a file that is absent, a pipe or a device, of
    none of FORMATS, corrupt, cut short, of another size, or of more pixels than PIL.Image.MAX_IMAGE_PIXELS (a
    decompression bomb).
    """
    with _opened(path) as image:
        _check_size(path, image, size)
        return _to_rgb(_oriented(_brightened(path, image), size))


def read_size(path: Path) -> tuple[int, int]:
    """Returns (width, height) of the upright image, from the head of the file alone. Raises BadImage."""
    with _opened(path) as image:
        return _upright_size(image)


def is_turned(path: Path) -> bool:
    """Returns whether EXIF asks to turn or to mirror the image as stored. Raises BadImage."""
    with _opened(path) as image:
        return image.getexif().get(_ORIENTATION, 1) in range(2, 9)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Opens the image; turns whatever goes wrong with it into a BadImage that names the file and what to do."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # A pipe may never send its first byte, a device may never end.
            raise BadImage(f"{path}: must be a file, but is a folder, a pipe or a device; replace or remove it")
        # PIL only warns. Turning warnings into errors would change the whole process, and images are read in threads.
        with Image.open(path, formats=FORMATS) as image:
            if Image.MAX_IMAGE_PIXELS is not None and image.width * image.height > Image.MAX_IMAGE_PIXELS:
                raise Image.DecompressionBombError(f"it has {image.width} x {image.height}")
            yield image
    except FileNotFoundError as error:
        raise BadImage(f"{path}: no such file; check its path in the labels and `root`") from error
    except Image.DecompressionBombError as error:
        limit = Image.MAX_IMAGE_PIXELS
        raise BadImage(f"{path}: must have at most {limit} pixels, but {_reason(error)}; scale it down") from error
    except BadImage:
        raise
    except Exception as error:  # PIL's decoders raise OSError, SyntaxError, ValueError, struct.error, EOFError, ...
        raise BadImage(f"{path}: cannot be read as an image ({_reason(error)}); {_advice(path)}") from error


def _advice(path: Path) -> str:
    """Says what to do with a file that cannot be read as an image."""
    if path.name.startswith(MAC_NOTES):
        return "it holds a Mac's notes on another file: remove it, and take it out of the labels"
    if path.suffix.lower() in UNKNOWN_FORMATS:
        return "save it as JPEG or PNG"
    return "replace or remove it"


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """Returns (width, height) after the turn that EXIF asks for."""
    turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
    return (image.height, image.width) if turned else (image.width, image.height)


def _check_size(path: Path, image: Image.Image, size: tuple[int, int] | None) -> None:
    """Raises BadImage unless the image has that size, upright or as stored."""
    if size is None or size in (_upright_size(image), image.size):
        return
    width, height = _upright_size(image)
    raise BadImage(
        f"{path}: must be {size[0]} x {size[1]} px as its annotation says, but is {width} x {height} px; "
        "its polygons would not fit: correct width and height, and the points with them"
    )


def _oriented(image: Image.Image, size: tuple[int, int] | None) -> Image.Image:
    """Returns the image turned as EXIF says, unless only the image as stored has the size of the labels."""
    if size is not None and size != _upright_size(image):
        return image
    return ImageOps.exif_transpose(image)


def _to_rgb(image: Image.Image) -> Pixels:
    """Converts any mode to 8-bit RGB. Raises ValueError for 32-bit floats."""
    if image.mode.startswith("I"):  # PIL would clip 16 bits at 255.
        wide = np.asarray(image).astype(np.int64)
        gray = np.clip(wide * 255 // _white(image, int(wide.max(initial=0))), 0, 255).astype(np.uint8)
        return np.repeat(gray[:, :, None], 3, axis=2)
    if image.mode == "F":
        raise ValueError("32-bit floats say nothing of their white; save it with 8 bits")
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(paper, image)
    return np.array(image.convert("RGB"))


def _brightened(path: Path, image: Image.Image) -> Image.Image:
    """Returns a colour image of 16 bits, of which a camera uses fewer, with 8; any other image as it is.

    PIL keeps the upper 8 bits of 16, which are black where only the lower 12 are used.
    """
    tiles = getattr(image, "tile", ())  # how the file codes its pixels; only images of files have them
    coded = str(tiles[0][3]) if tiles else ""
    if image.mode not in ("RGB", "RGBA") or ";16" not in coded:
        return image
    highest = max(high for _, high in image.getextrema()[:3])  # type: ignore[misc]  # a pair for each band
    if highest >= 1 << _DEPTHS[-2] - 8:
        return image
    deep = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if deep is None or deep.dtype != np.uint16 or deep.ndim != 3:
        return image
    colours = deep[:, :, 2::-1].astype(np.int64)  # cv2 gives B, G, R
    bright = Image.fromarray((colours * 255 // _white(image, int(colours.max(initial=0)))).astype(np.uint8))
    bright.getexif()[_ORIENTATION] = image.getexif().get(_ORIENTATION, 1)
    return bright


def _white(image: Image.Image, highest: int) -> int:
    """Returns the value of white in an image of more than 8 bits whose highest value is `highest`.

    A TIFF may say how many bits count. Else the fewest of a scanner's or camera's bits that hold the highest value: 12
    of them in a file of 16 would be black.
    """
    bits = image.tag_v2.get(_BITS_PER_SAMPLE, (16,))[0] if isinstance(image, TiffImageFile) else 16
    if bits not in _DEPTHS[:-1] or highest >= 1 << bits:
        bits = next((depth for depth in _DEPTHS if highest < 1 << depth), 16)
    return int((1 << bits) - 1)


def _reason(error: BaseException) -> str:
    """Returns what an error says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__
