from __future__ import annotations

import os
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import psutil
import pytest
import yaml

from benchmarks.paddleocr_trainer import PaddleTrainer, Recipe, trainer_config, write_labels
from benchmarks.training import (
    MAY_COST,
    Workbench,
    files_of,
    measure_feeding,
    million_products,
    our_models,
    print_table,
)
from tests.trainables.recognition.digits import write_digits
from trainables.data.image_file import read_image
from trainables.recognition import Config
from trainables.recognition.charset import Charset

AUGMENTED = Recipe("mobilenetv3_small_100", 16, 96, 32, 100, 5e-4, {"tia_prob": 0.5, "hsv_prob": 0.25})

# A stand-in for PaddleOCR's tools/train.py: learns nothing, says its lines for ever, or ends after some.
TRAINER = """
import sys, yaml
config = yaml.safe_load(open(sys.argv[sys.argv.index("-c") + 1]))
for step in range(config["lines"]):
    print(f"epoch: [1/1], global_step: {step}, ips: 1.00000 samples/s, eta: 0:00:00", flush=True)
print("No Images in train dataset")
"""


@pytest.fixture
def bench(tmp_path, monkeypatch) -> Workbench:
    monkeypatch.setenv("NIGHTSWEEP_CACHE", str(tmp_path / "cache"))
    (tmp_path / "digits").mkdir()
    return Workbench.of({"root": str(write_digits(tmp_path / "digits"))})


@pytest.fixture
def paddleocr(tmp_path) -> Path:
    (tmp_path / "PaddleOCR/tools").mkdir(parents=True)
    (tmp_path / "PaddleOCR/tools/train.py").write_text(TRAINER)
    return tmp_path / "PaddleOCR"


def start(paddleocr: Path, lines: int) -> PaddleTrainer:
    config = trainer_config(AUGMENTED, paddleocr, paddleocr / "out", workers=0, steps=5, longest=3) | {"lines": lines}
    return PaddleTrainer(paddleocr, Path(sys.executable), config, paddleocr / "config.yml")


def test_the_loop_is_timed_from_memory_from_the_cache_and_augmented(bench, capsys):
    windows = measure_feeding(bench, batches=2, turns=1)
    assert {name: [window.crops for window in own] for name, own in windows.items()} == {
        "from memory": [32],
        "from the cache": [32],
        "from the cache, augmented": [32],
    }
    print_table(windows, "from memory", "of memory", MAY_COST)
    assert "from memory" in capsys.readouterr().out


def test_batches_go_on_beyond_an_epoch(bench):
    assert len(list(islice(bench.batches(Config(batch_size=30)), 5))) == 5  # of 80 crops, two batches an epoch


def test_paddleocr_gets_the_same_crops_texts_and_classes(bench, tmp_path):
    write_labels(tmp_path, files_of(bench.crops, tmp_path), bench.charset.characters)
    lines = [line.split("\t") for line in (tmp_path / "train.txt").read_text().splitlines()]
    assert [text for _, text in lines] == [crop.text for crop in bench.crops]
    assert all(os.path.isabs(path) and os.path.exists(path) for path, _ in lines)
    assert (tmp_path / "characters.txt").read_text().split() == list(bench.charset.characters)


def test_drawn_crops_are_written_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setenv("NIGHTSWEEP_CACHE", str(tmp_path))
    crops = Workbench.of({"root": "synthetic/plates", "crops": 12}).crops[:3]
    for crop, (path, _) in zip(crops, files_of(crops, tmp_path), strict=True):
        assert np.array_equal(read_image(path), crop.read())


def test_paddleocr_augments_with_the_same_shares_and_only_where_we_do(tmp_path):
    def augmentation(recipe: Recipe) -> list[dict[str, float]]:
        config = trainer_config(recipe, tmp_path, tmp_path, workers=0, steps=5, longest=3)
        assert yaml.safe_load(yaml.safe_dump(config)) == config
        return [step["RecAug"] for step in config["Train"]["dataset"]["transforms"] if "RecAug" in step]

    [shares] = augmentation(AUGMENTED)
    assert shares.pop("tia_prob") == 0.5
    assert shares.pop("hsv_aug_prob") == 0.25
    assert set(shares.values()) == {0.0}
    assert augmentation(Recipe("resnet18", 16, 96, 32, 100, 5e-4, {})) == []


@pytest.mark.parametrize(
    ("backbone", "products", "weights"),
    # counted on PaddleOCR's own networks (paddle 3.3.1) by the shapes that leave their convolutions
    [("mobilenetv3_small_100", 60.43, 1_682_859), ("mobilenetv3_large_100", 197.43, 4_038_787)],
)
def test_with_paddleocrs_strides_our_network_is_its_network(backbone, products, weights):
    recipe = Recipe(backbone, 16, 96, 32, 100, 5e-4, {})
    model = our_models(recipe, Charset(tuple(map(chr, range(65, 109)))))["ours, PaddleOCR's strides"]
    assert million_products(model, recipe) == pytest.approx(products, rel=0.01)
    assert sum(parameter.numel() for parameter in model.parameters()) == pytest.approx(weights, rel=0.01)


def test_the_trainer_stands_still_between_its_windows_and_is_ended(paddleocr):
    trainer = start(paddleocr, 1_000_000)
    process = psutil.Process(trainer.pid)
    try:
        assert trainer.measure().crops == 16 * 5
        while process.status() != psutil.STATUS_STOPPED:
            pass
        spent = process.cpu_times()
        sum(range(1_000_000))
        assert process.cpu_times() == spent
        assert trainer.measure().wall > 0
    finally:
        trainer.close()
    assert not process.is_running()


def test_a_trainer_that_ends_says_what_it_said_last(paddleocr):
    with pytest.raises(RuntimeError, match="No Images in train dataset"):
        start(paddleocr, 0)
