"""Measures what feeding the network costs, and how fast recognition learns beside PaddleOCR's trainer, on one core.

python -m benchmarks.training                                        drawn plates; a minute
python -m benchmarks.training --data FOLDER                          your own crops (docs/recognition.md)
python -m benchmarks.training --paddleocr FOLDER --paddle-python PYTHON
    FOLDER: a clone of https://github.com/PaddlePaddle/PaddleOCR; PYTHON: of an environment with paddlepaddle and what
    FOLDER/requirements.txt names. Its tools/train.py runs as it is; 5 more minutes.

Everything runs on one core with one thread. What is compared takes turns, PaddleOCR's processes standing still while it
is not theirs; ratios are medians over the turns. PaddleOCR's backbones halve the width later than ours and so multiply
more; `ours, PaddleOCR's strides` is its network layer for layer.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is imported, and by PaddleOCR's processes

import cv2
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.paddleocr_trainer import BACKBONES, PaddleTrainer, Recipe, trainer_config, write_labels
from benchmarks.window import Window, alternate, ratio, speed, timed
from trainables.data.batches import training_batches
from trainables.data.image_file import ImageFile
from trainables.engine import Learner, Task, seed_everything, train_epoch
from trainables.recognition import Config
from trainables.recognition.augment import Augment
from trainables.recognition.charset import Charset
from trainables.recognition.crnn import CRNN, build_crnn
from trainables.recognition.crop import Crop
from trainables.recognition.dataset import CropDataset, charset_of, collate, load_crops
from trainables.recognition.encoders import Encoder, build_encoder

# What search_spaces/plates.yaml does by hand.
AUGMENTATION: Mapping[str, Any] = {
    "tia_prob": 0.5,
    "jitter_prob": 0.5,
    "noise_prob": 0.3,
    "blur_prob": 0.2,
    "crop_prob": 0.3,
}
FEEDING_BATCHES, FEEDING_TURNS = 4, 100  # of the first table: where 1 % counts, turns are short and many
PADDLE_WORKERS = (0, 8)  # in the trainer's own process, and as its configs say
MAY_COST = 0.95
SHOULD_GAIN = 1.5
# What PaddleOCR has in the place of each halving of timm's network; the last one it leaves to a pooling at the end.
PADDLE_STRIDES: Mapping[str, Sequence[tuple[int, int]]] = {
    "mobilenetv3_small_100": ((2, 2), (1, 1), (2, 1), (2, 1), (2, 1)),
    "mobilenetv3_large_100": ((2, 2), (2, 1), (2, 1), (1, 1), (2, 1)),
}


@dataclass
class BenchmarkRun:
    """Serves as a Run (trainables.trainable) without checkpoints."""

    data: Mapping[str, Any]
    device: str = "cpu"
    seed: int = 0
    checkpoint_dir: Path | None = None

    def save_checkpoint(self, fill: Callable[[Path], None]) -> None:
        raise AssertionError("only epochs are timed here")

    def tell_step(self, step: int, steps: int | None = None) -> None:
        return None


@dataclass(frozen=True)
class Workbench:
    """Holds the crops that are learned, and the run that learns them."""

    crops: list[Crop]
    charset: Charset
    run: BenchmarkRun

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Workbench:
        return cls(load_crops(data, "train"), charset_of(data), BenchmarkRun(data))

    def batches(self, config: Config) -> Iterator[Any]:
        """Yields epoch after epoch, each from a new loader, as in training."""
        dataset = CropDataset(self.crops, self.charset, config, Augment.from_config(config))
        epoch = 0
        while True:
            epoch += 1
            dataset.set_epoch(epoch)
            yield from training_batches(dataset, collate, config, self.run, epoch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="synthetic/plates", help="folder of crops; default: drawn plates")
    parser.add_argument("--repeats", type=int, default=9, help="turns of each beside PaddleOCR")
    parser.add_argument("--paddleocr", type=Path, help="clone of PaddleOCR")
    parser.add_argument("--paddle-python", type=Path, help="Python of an environment with paddlepaddle")
    parser.add_argument("--backbone", choices=list(BACKBONES), default="mobilenetv3_small_100", help="beside PaddleOCR")
    parser.add_argument("--batches", type=int, default=5, help="of a window beside PaddleOCR")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # PaddleOCR's processes end with this one
    if (arguments.paddleocr is None) != (arguments.paddle_python is None):
        parser.error("--paddleocr and --paddle-python must be given together")
    root = arguments.data
    bench = prepare({"root": root if root.startswith("synthetic/") else str(Path(root).resolve())})
    print(f"{len(bench.crops)} crops of {root}, {bench.charset.size} classes; torch {torch.__version__}, one thread\n")
    windows = measure_feeding(bench, FEEDING_BATCHES, FEEDING_TURNS)
    print("The default network (small, batch 16, 32 x 100); augmented as search_spaces/plates.yaml does by hand")
    print_table(windows, "from memory", "of the same loop from memory", MAY_COST)
    if arguments.paddleocr is None:
        print("\nBeside PaddleOCR's trainer: left out. To have it, see python -m benchmarks.training --help")
        return
    for augmentation in ({}, AUGMENTATION):
        recipe = Recipe(arguments.backbone, 16, 96, 32, 100, 5e-4, augmentation)
        print(f"\n{title(recipe, arguments.paddleocr, arguments.paddle_python)}")
        for name, model in our_models(recipe, bench.charset).items():
            print(f"{name}: {million_products(model, recipe):.0f} million multiplications a crop in the encoder")
        windows = measure_trainers(
            bench, recipe, arguments.batches, arguments.repeats, arguments.paddleocr, arguments.paddle_python
        )
        best = max((name for name in windows if name.startswith("PaddleOCR")), key=lambda name: speed(windows[name])[0])
        print_table(windows, best, f"of {best}", SHOULD_GAIN)


def prepare(data: Mapping[str, Any]) -> Workbench:
    """Leaves this process, and all that it starts, one core and one thread; returns the crops."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    seed_everything(0)
    return Workbench.of(data)


def measure_feeding(bench: Workbench, batches: int, turns: int) -> dict[str, list[Window]]:
    """Times the engine's epoch over batches made beforehand, over the cache's, and over augmented ones."""
    config = Config()
    learner = build_learner(build_crnn(config, bench.charset), config)
    ready = cycle(list(islice(bench.batches(config), 10 * batches)))
    sources: dict[str, Callable[[], Iterable[Any]]] = {
        "from memory": partial(islice, ready, batches),
        "from the cache": partial(islice, bench.batches(config), batches),
        "from the cache, augmented": partial(islice, bench.batches(Config(**AUGMENTATION)), batches),
    }
    return alternate({name: window_of(learner, source, batches) for name, source in sources.items()}, turns)


def measure_trainers(
    bench: Workbench, recipe: Recipe, batches: int, repeats: int, paddleocr: Path, python: Path
) -> dict[str, list[Window]]:
    """Ours, ours with PaddleOCR's strides, and PaddleOCR's with each number of loader processes."""
    config = our_config(recipe)
    acts: dict[str, Callable[[], Window]] = {}
    for name, model in our_models(recipe, bench.charset).items():
        learner = build_learner(model, config)
        acts[name] = window_of(learner, partial(islice, bench.batches(config), batches), batches)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as trainers:
        write_labels(Path(folder), files_of(bench.crops, Path(folder)), bench.charset.characters)
        longest = max(len(crop.text) for crop in bench.crops)
        for workers in PADDLE_WORKERS:
            out = Path(folder) / f"workers-{workers}"
            details = trainer_config(recipe, Path(folder), out, workers, batches, longest)
            trainer = PaddleTrainer(paddleocr.resolve(), python.absolute(), details, out.with_suffix(".yml"))
            trainers.callback(trainer.close)
            acts[f"PaddleOCR, {workers} loader processes"] = trainer.measure
        return alternate(acts, repeats)


def our_config(recipe: Recipe) -> Config:
    """Returns PaddleOCR's settings in our words."""
    return Config(
        backbone=recipe.backbone,
        batch_size=recipe.batch_size,
        height=recipe.height,
        width=recipe.width,
        neck_hidden_size=recipe.hidden_size,
        neck_layers=2,
        optimizer="adam",
        lr=recipe.lr,
        lr_schedule="constant",
        weight_decay=0.0,
        fc_decay=0.0,
        gradient_clip=0.0,
        **recipe.augmentation,
    )


def our_models(recipe: Recipe, charset: Charset) -> dict[str, CRNN]:
    config = our_config(recipe)
    models = {"ours": build_crnn(config, charset)}
    if recipe.backbone in PADDLE_STRIDES:
        models["ours, PaddleOCR's strides"] = CRNN(paddle_encoder(recipe.backbone), charset, config)
    return models


def paddle_encoder(backbone: str) -> Encoder:
    """Returns our encoder with PaddleOCR's strides: half the width, not a quarter, up to the last layer."""
    encoder = build_encoder(backbone, pretrained=False)
    halving = [m for m in encoder.net.modules() if isinstance(m, nn.Conv2d) and m.stride in ((2, 2), (2, 1))]
    for convolution, stride in zip(halving, PADDLE_STRIDES[backbone], strict=True):
        convolution.stride = stride
    encoder.net = Pooled(encoder.net)
    return encoder


class Pooled(nn.Module):
    """Pools a backbone's last map 2 x 2."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net, self.pool = net, nn.MaxPool2d(2)

    def forward(self, images: Tensor) -> Tensor:
        [features] = self.net(images)
        pooled: Tensor = self.pool(features)
        return pooled


def build_learner(model: CRNN, config: Config) -> Learner:
    task = Task(model, lambda epoch: [], 10_000, lambda model, epoch: {}, metric="val/acc")
    return Learner(task, config, torch.device("cpu"))


def window_of(learner: Learner, source: Callable[[], Iterable[Any]], batches: int) -> Callable[[], Window]:
    """Returns an act that learns `batches` batches of the source."""
    return lambda: timed(lambda: train_epoch(learner, source()), batches * learner.config.batch_size)


def files_of(crops: Sequence[Crop], folder: Path) -> list[tuple[Path, str]]:
    """Returns the crops' own files; drawn ones are written as PNG first."""
    files = []
    for number, crop in enumerate(crops):
        if isinstance(crop.source, ImageFile):
            file = crop.source.path.resolve()
        else:
            file = folder / f"{number:05d}.png"
            cv2.imwrite(str(file), cv2.cvtColor(crop.read(), cv2.COLOR_RGB2BGR))
        files.append((file, crop.text))
    return files


def title(recipe: Recipe, paddleocr: Path, python: Path) -> str:
    asked = [str(python), "-W", "ignore", "-c", "import paddle; print(paddle.__version__)"]
    version = subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=True).stdout.strip().splitlines()[-1]
    augmented = "augmented" if recipe.augmentation else "not augmented"
    return (
        f"Beside {paddleocr.name} on paddle {version}: {recipe.backbone}, two BiLSTM layers of {recipe.hidden_size}, "
        f"CTC, batch {recipe.batch_size}, {recipe.height} x {recipe.width}, Adam; {augmented}"
    )


def million_products(model: CRNN, recipe: Recipe) -> float:
    """Multiplications that one crop takes in the encoder, in millions."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval().encoder(torch.zeros(1, 3, recipe.height, recipe.width))
    return counter.get_total_flops() / 2e6


def print_table(windows: Mapping[str, Sequence[Window]], reference: str, of: str, wanted: float) -> None:
    print(f"{'':<34}{'crops/s':>10}{'ratio':>8}{'crops/CPU s':>14}{'ratio':>8}")
    for name, own in windows.items():
        (fast, lean), (faster, leaner) = speed(own), ratio(own, windows[reference])
        print(f"{name:<34}{fast:>10.0f}{faster:>8.3f}{lean:>14.0f}{leaner:>8.3f}")
    print(f"ratio: {of}; wanted: at least {wanted:g}")


if __name__ == "__main__":
    main()
