"""Every shipped study file can be run as it stands: it parses, its configs can be built, its smoke version too."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from orchestrator.study_file.smoke import smoke_version
from orchestrator.study_file.study_spec import load_study
from trainables import load_trainable

FOLDER = Path(__file__).parent.parent / "search_spaces"
FILES = sorted(FOLDER.rglob("*.yaml"))


def test_there_are_study_files() -> None:
    assert {"quickstart.yaml", "pages.yaml", "hrnet.yaml"} <= {file.name for file in FILES}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_opens_with_its_purpose_its_command_and_its_cost(file: Path) -> None:
    purpose, command, *_ = file.read_text().splitlines()
    assert purpose.startswith("# ") and len(purpose) > 40
    assert command.startswith(f"# tune run search_spaces/{file.relative_to(FOLDER)} ") and "about" in command


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_its_baselines_and_whatever_is_drawn_from_it_make_configs(file: Path) -> None:
    spec = load_study(file)
    trainable = load_trainable(spec.trainable)
    rng = random.Random(0)
    for baseline in spec.baselines:
        trainable.build_config(spec.space.complete(baseline.values, rng))
    for _ in range(50):
        trainable.build_config(spec.space.sample(rng))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_its_smoke_version_needs_no_data_and_no_weights(file: Path) -> None:
    spec = smoke_version(load_study(file))
    config = load_trainable(spec.trainable).build_config(spec.space.sample(random.Random(0)))
    assert str(spec.data["root"]).startswith("synthetic/")
    side = {"detection": "resolution", "recognition": "width"}[spec.trainable]
    assert config.pretrained is False and config.epochs <= 2 and getattr(config, side) <= 128


def test_the_smoke_version_of_hrnet_keeps_the_real_network() -> None:
    spec = smoke_version(load_study(FOLDER / "hrnet.yaml"))
    assert spec.space.fixed["backbone"] == "hrnet_w44"


def test_quickstart_has_a_baseline_and_more_to_search_than_it_can_try() -> None:
    spec = load_study(FOLDER / "quickstart.yaml")
    assert len(spec.baselines) == 1 and spec.space.size is None
    assert spec.budget.trials == 20 and spec.scheduler.grace_epochs == 1
