"""Loads the crops of a split, and makes batches of them: resized, augmented pictures and their targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from trainables.data.batches import AugmentedDataset
from trainables.data.crop_cache import CropSize, cached_crops
from trainables.data.image_file import ImageFile, Pixels
from trainables.data.look import readable
from trainables.data.splits import SPLITS, Split
from trainables.recognition.charset import Charset
from trainables.recognition.charset_file import read_charset
from trainables.recognition.config import MIN_WIDTH, Config
from trainables.recognition.crop import Crop, DrawnCrop
from trainables.recognition.data_section import CropSection
from trainables.recognition.labels import read_labels
from trainables.synthetic.drawn_plates import CHARACTERS, drawn_plates

__all__ = ["SPLITS", "Batch", "Crop", "CropDataset", "Split", "charset_of", "collate", "crop_size", "load_crops"]

Batch = dict[str, torch.Tensor]
Augmentation = Callable[[Sequence[Pixels], np.random.Generator], Sequence[Pixels]]

WIDTH_STEP = 32  # px; padded batches get a multiple of it, because cuDNN searches kernels for each width


def load_crops(data: Mapping[str, Any], split: Split, *, with_bad: bool = False) -> list[Crop]:
    """Returns the crops of one split, in the order of the labels; only test may be empty.

    `data` is the `data:` section of a study file (see CropSection). With `folds`, the crops of all splits but test are
    dealt anew, all of a group to the same side: those of fold `fold` are val, the others train. With `on_bad: skip`,
    crops that cannot be read are then left out, unless `with_bad`. Crops labelled ### are in no split.
    Raises ValueError, a line for each mistake; OSError.
    """
    section = CropSection.parse(data)
    crops = _drawn_crops(section, split) if section.drawn else _labelled_crops(section, split)
    if section.skips_bad and not with_bad:
        crops = readable(split, crops)
    section.require(crops, split)
    return crops


def charset_of(data: Mapping[str, Any]) -> Charset:
    """Returns the charset of the section's file, else of the texts of train; of drawn plates, all they can say.

    Raises as load_crops does.
    """
    section = CropSection.parse(data)
    if section.charset is not None:
        return read_charset(section.charset)
    if section.drawn:
        return Charset.of([CHARACTERS])
    return Charset.of(crop.text for crop in load_crops(data, "train"))


def crop_size(config: Config) -> CropSize:
    """Returns how large a config wants crops."""
    return CropSize(config.height, config.width, config.max_width, MIN_WIDTH)


class CropDataset(AugmentedDataset[Batch]):
    """Shows crops as a network takes them, a batch at a time.

    Seed, epoch and indices decide a batch, whichever process makes it. The random numbers of augmentation are drawn for
    a whole batch, because a generator for each crop would cost as much as two of its changes.
    """

    def __init__(
        self,
        crops: Sequence[Crop],
        charset: Charset,
        config: Config,
        augment: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        """Decodes all crops, unless this machine has done so before (see crop_cache).

        Characters that `charset` lacks are left out of the targets. Raises BadImage, a line for each crop that cannot
        be read.
        """
        super().__init__(seed)
        self.crops = list(crops)
        self.store = cached_crops([crop.source for crop in self.crops], crop_size(config))
        self._targets = [np.array(charset.encode_known(crop.text), np.int64) for crop in self.crops]
        self._width_step = 1 if config.width else WIDTH_STEP
        self._augment = augment

    def __len__(self) -> int:
        return len(self.crops)

    def __getitem__(self, index: int) -> Batch:
        """Returns a batch of one."""
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Returns the batch of these crops; torch's DataLoader asks for a batch at once.

        image: uint8, B x 3 x H x W, padded with zeros on the right. valid_width: int64, B; px of it that are picture.
        target: int64, B x L; classes of the characters, padded with zeros. target_length: int64, B.
        """
        if not all(0 <= index < len(self.crops) for index in indices):
            raise IndexError(f"crops {list(indices)} of {len(self.crops)}")
        image, widths = _stack(self.view(indices), self._width_step)
        targets = [self._targets[index] for index in indices]
        lengths = np.array([len(target) for target in targets])
        target = np.zeros((len(targets), lengths.max()), np.int64)
        target[np.arange(target.shape[1]) < lengths[:, None]] = np.concatenate(targets)
        return {
            "image": torch.from_numpy(image).permute(0, 3, 1, 2),  # B x H x W x 3 -> B x 3 x H x W, channels last
            "valid_width": torch.from_numpy(np.array(widths)),
            "target": torch.from_numpy(target),
            "target_length": torch.from_numpy(lengths),
        }

    def view(self, indices: Sequence[int]) -> Sequence[Pixels]:
        """Returns the crops as this epoch shows them: height x width x 3 each, uint8 RGB, not padded."""
        images = self.store.read_batch(indices)
        if self._augment is None:
            return images
        return self._augment(images, self.random_numbers(indices[0]))


def collate(items: Batch | Sequence[Batch]) -> Batch:
    """Returns a batch as it is; joins several, such as of one crop each."""
    if isinstance(items, dict):
        return items
    names = items[0].keys()
    widest = {name: max(item[name].shape[-1] for item in items) for name in ("image", "target")}
    padded = [item | {name: _pad(item[name], width) for name, width in widest.items()} for item in items]
    return {name: torch.cat([item[name] for item in padded]) for name in names}


def _pad(values: torch.Tensor, width: int) -> torch.Tensor:
    """Pads with zeros on the right."""
    return torch.nn.functional.pad(values, (0, width - values.shape[-1]))


def _stack(images: Sequence[Pixels], step: int) -> tuple[Pixels, list[int]]:
    """Returns B x H x W x 3, padded with zeros on the right to a multiple of `step` px, and the width of each."""
    widths = [image.shape[1] for image in images]
    widest = -(-max(widths) // step) * step
    if min(widths) == widest:
        return np.asarray(images), widths
    stacked = np.zeros((len(images), images[0].shape[0], widest, 3), np.uint8)
    for row, image, width in zip(stacked, images, widths, strict=True):
        row[:, :width] = image
    return stacked, widths


def _labelled_crops(section: CropSection, split: Split) -> list[Crop]:
    """Returns the crops of a split that lie in the user's folder."""
    labels = [label for label in read_labels(section) if not label.unreadable]
    groups = [label.group or label.text for label in labels]
    chosen = _choose([label.split for label in labels], groups, section, split)
    return [
        Crop(label.path, label.text, group, ImageFile(section.folder / label.path), label.group)
        for label, group in ((labels[index], groups[index]) for index in chosen)
    ]


def _drawn_crops(section: CropSection, split: Split) -> list[Crop]:
    """Returns the drawn plates of a split."""
    plates = drawn_plates(section.crops, section.seed, section.hardness)
    drawn = [(of, number, text) for of in SPLITS for number, text in enumerate(plates.texts[of])]
    chosen = _choose([of for of, _, _ in drawn], [text for _, _, text in drawn], section, split)
    return [
        Crop(f"{of}-{number:05d}", text, text, DrawnCrop(f"{plates.name} {index}", plates.pixels, index))
        for index, (of, number, text) in ((index, drawn[index]) for index in chosen)
    ]


def _choose(given: Sequence[Split | None], groups: Sequence[str], section: CropSection, split: Split) -> list[int]:
    """Returns the places of the crops of a split: those `given` to it or, with folds, those that are dealt to it."""
    if not section.is_dealt(split):
        return [index for index, of in enumerate(given) if of == split]
    pool = [index for index, of in enumerate(given) if of != "test"]
    return [pool[place] for place in section.deal([groups[index] for index in pool], split)]
