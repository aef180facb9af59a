"""Trains and scores text recognition: what the engine's loop needs to know of the task."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from trainables.checkpoint import checkpoint_of, load_weights, make_trained
from trainables.data.batches import batches_per_epoch, evaluation_batches, training_batches
from trainables.data.label_mistakes import raise_mistakes
from trainables.engine import Task, fit, seed_everything
from trainables.recognition.augment import Augment
from trainables.recognition.charset import Charset
from trainables.recognition.config import WIDTH_STRIDE, Config, time_steps
from trainables.recognition.crnn import CRNN, build_crnn
from trainables.recognition.ctc import steps_needed
from trainables.recognition.dataset import Batch, CropDataset, charset_of, collate, load_crops
from trainables.recognition.metrics import Score, score_readings
from trainables.trainable import Run


@dataclass(frozen=True)
class Reading:
    """Holds what was read on a crop, and how sure that is (0 to 1, see ctc.decode_greedy)."""

    text: str
    confidence: float


def train(config: Config, run: Run) -> Generator[dict[str, float], None, str | None]:
    """Yields train/loss, train/acc, lr, val/acc, val/ned, val/cer, images_per_second once an epoch."""
    seed_everything(run.seed)
    charset = charset_of(run.data)
    dataset = CropDataset(load_crops(run.data, "train"), charset, config, Augment.from_config(config), run.seed)
    held_out = CropDataset(load_crops(run.data, "val"), charset, config)
    refuse_long_labels(dataset, charset, config)
    if run.checkpoint_dir is not None:
        refuse_another_charset(charset, run.checkpoint_dir)

    def loader(epoch: int) -> Iterable[Mapping[str, torch.Tensor]]:
        dataset.set_epoch(epoch)
        return training_batches(dataset, collate, config, run, epoch)

    def evaluate(model: CRNN, epoch: int) -> dict[str, float]:
        return score_crops(model, held_out, charset, config, run).metrics("val")

    model = build_crnn(config, charset, pretrained=config.pretrained and run.checkpoint_dir is None)
    steps = batches_per_epoch(len(dataset), config.batch_size)
    return (yield from fit(Task(model, loader, steps, evaluate, metric="val/acc"), config, run))


def score_test_split(config: Config, run: Run) -> dict[str, float]:
    """Returns test/acc, test/ned, test/cer of run.checkpoint_dir; {} without a test split."""
    crops = load_crops(run.data, "test")
    if not crops:
        return {}
    model, charset = load_recogniser(config, run)
    return score_crops(model, CropDataset(crops, charset, config), charset, config, run).metrics("test")


def load_recogniser(config: Config, run: Run) -> tuple[CRNN, Charset]:
    """Returns the network of run.checkpoint_dir, ready to read, and the charset it learnt; needs no data."""
    weights = load_weights(checkpoint_of(run))
    charset = Charset(tuple(map(chr, weights["characters"].tolist())))
    return make_trained(build_crnn(config, charset, pretrained=False), weights, config, run.device), charset


def score_crops(model: CRNN, dataset: CropDataset, charset: Charset, config: Config, run: Run) -> Score:
    """Returns the score of what the model reads on all crops of the dataset."""
    readings = read_crops(model, dataset, charset, config, run)
    return score_readings((crop.text for crop in dataset.crops), (reading.text for reading in readings))


def read_crops(model: CRNN, dataset: CropDataset, charset: Charset, config: Config, run: Run) -> list[Reading]:
    """Returns what the model reads on each crop, in their order."""
    batches = evaluation_batches(dataset, collate, config, run)
    return [reading for batch in batches for reading in read_batch(model, batch, charset, config)]


def read_batch(model: CRNN, batch: Batch, charset: Charset, config: Config) -> list[Reading]:
    """Returns what the model reads on each crop of a batch."""
    device = model.head.weight.device
    layout = torch.channels_last if config.channels_last else torch.contiguous_format
    images = batch["image"].to(device, non_blocking=True, memory_format=layout)
    found = model.read(images, batch["valid_width"].to(device, non_blocking=True))
    return [Reading(charset.decode(indices), confidence) for indices, confidence in found]


def refuse_long_labels(dataset: CropDataset, charset: Charset, config: Config) -> None:
    """Raises ValueError where CTC cannot align a label, which would make the loss infinite; names the first."""
    mistakes = []
    for crop, width in zip(dataset.crops, dataset.store.shapes[:, 1].tolist(), strict=True):
        needed, given = steps_needed(charset.encode_known(crop.text)), time_steps(width)
        if needed > given:
            wider = f"width to {needed * WIDTH_STRIDE}" if config.width else "a greater height (and max_width)"
            mistakes.append(
                f"{crop.name}: {crop.text!r} needs {needed} time steps, but its {width} px give {given}; "
                f"correct the label, or set {wider}"
            )
    raise_mistakes(Path("train"), mistakes)


def refuse_another_charset(charset: Charset, checkpoint: Path) -> None:
    """Raises ValueError where the classes of a checkpoint are other characters than those of the data now."""
    learnt = load_weights(checkpoint)["characters"].tolist()
    if learnt != [ord(character) for character in charset.characters]:
        now = charset.characters
        raise ValueError(
            f"charset: must be the {len(learnt)} characters that {checkpoint} has learnt, but the data have {len(now)} "
            "of which some differ; give the old charset as a file in data.charset, or start the study over with --fresh"
        )
