"""Loads the pages of a split, and makes of them what training takes: augmented squares with DBNet's target maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import default_collate

from trainables.augment import Augment
from trainables.data.batches import AugmentedDataset
from trainables.data.image_file import Pixels
from trainables.data.look import readable
from trainables.data.splits import SPLITS, Split, drawn_sizes
from trainables.detection.annotations import read_annotations
from trainables.detection.data_section import PageSection
from trainables.detection.page import Float, Page, letterbox, letterbox_scale
from trainables.detection.targets import draw_targets
from trainables.synthetic.drawn_receipts import ReceiptSet, drawn_receipts

__all__ = ["SPLITS", "Page", "PageDataset", "Split", "collate", "letterbox", "load_pages"]

Item = dict[str, torch.Tensor]


def load_pages(data: Mapping[str, Any], split: Split, *, with_bad: bool = False) -> list[Page]:
    """Returns the pages of one split, in the order of the annotations; only test may be empty.

    `data` is the `data:` section of a study file (see PageSection). With `folds`, the pages of all splits but test are
    dealt anew: those of fold `fold` are val, the others train. With `on_bad: skip`, pages that cannot be read are then
    left out, unless `with_bad`. Raises ValueError, a line for each mistake.
    """
    section = PageSection.parse(data)
    if section.is_dealt(split):
        pool = _pages_of(section, "train", "val", None)
        pages = [pool[place] for place in section.deal([page.name for page in pool], split)]
    else:
        pages = _pages_of(section, split)
    if section.skips_bad and not with_bad:
        pages = readable(split, pages)
    section.require(pages, split)
    return pages


class PageDataset(AugmentedDataset[Item]):
    """Shows pages as a network takes them, one item a page."""

    def __init__(
        self, pages: Sequence[Page], resolution: int, augment: Augment | None, shrink_ratio: float = 0.4, seed: int = 0
    ) -> None:
        """Takes pages. resolution: side of the square, in pixels. augment: None leaves the pages as they are."""
        if resolution < 32:
            raise ValueError(f"resolution: resolution >= 32 must hold, but got {resolution}")
        super().__init__(seed)
        self.pages = list(pages)
        self.resolution = resolution
        self._augment = augment
        self._shrink_ratio = shrink_ratio

    def scale(self, index: int) -> float:
        """Returns letterboxed pixels per pixel of the original page."""
        return letterbox_scale(self.pages[index].size, self.resolution)

    def __len__(self) -> int:
        return len(self.pages)

    def __getitem__(self, index: int) -> Item:
        """Returns image (uint8, 3 x S x S), and shrink_map, shrink_mask, threshold_map, threshold_mask.

        The maps are float32, 1 x S x S (see targets.Targets).
        """
        image, polygons = self.view(index)
        ignore = self.pages[index].ignore
        maps = draw_targets(polygons, ignore, self.resolution, self.resolution, self._shrink_ratio)
        return {"image": torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))} | {
            name: torch.from_numpy(values[None]) for name, values in vars(maps).items()
        }

    def view(self, index: int) -> tuple[Pixels, tuple[Float, ...]]:
        """Returns the page as this epoch shows it, S x S x 3, uint8 RGB, and its polygons in those pixels."""
        if not 0 <= index < len(self.pages):
            raise IndexError(f"page {index} of {len(self.pages)}")
        page = self.pages[index]
        image = letterbox(page.read(), self.resolution)
        polygons = tuple(polygon * np.float32(self.scale(index)) for polygon in page.polygons)
        if self._augment is None:
            return image, polygons
        return self._augment(image, polygons, self.random_numbers(index))


def collate(items: Sequence[Item]) -> Item:
    """Stacks each tensor of the items into a batch, B x C x S x S."""
    batch: Item = default_collate(list(items))
    return batch


@dataclass(frozen=True)
class DrawnPage:
    """Reads one page of a set of drawn receipts."""

    receipts: ReceiptSet
    index: int

    def read(self) -> Pixels:
        """Returns size x size x 3, uint8 RGB."""
        return self.receipts.image(self.index)

    def identity(self) -> str:
        """Returns the place in the set, whose pages never change."""
        return f"drawn {self.index}"


def _pages_of(section: PageSection, *splits: Split | None) -> list[Page]:
    """Returns the pages labelled with one of `splits`; None stands for pages without a split."""
    if section.drawn:
        return [page for split in splits if split is not None for page in _drawn_pages(section, split)]
    labelled = read_annotations(section.folder, need_split=section.folds is None)
    return [page for split in splits for page in labelled.get(split, [])]


def _drawn_pages(section: PageSection, split: Split) -> list[Page]:
    """Returns the drawn pages of a split."""
    count = drawn_sizes(section.pages)[split]
    receipts = drawn_receipts(split, count, section.size, section.seed, section.hardness)
    return [
        Page(
            name=f"{split}-{index:04d}",
            polygons=receipts.polygons[index],
            ignore=np.zeros(len(receipts.polygons[index]), bool),
            size=(section.size, section.size),
            source=DrawnPage(receipts, index),
        )
        for index in range(count)
    ]
