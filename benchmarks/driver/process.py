"""Runs a driver in a process of its own, which says at its end how many seconds of the processor it took.

python -m benchmarks.driver.process ours|plain|lean FOLDER TRIALS EPOCHS    the last line is JSON

ours: `tune run`, with its report at the end; the process that speaks with Ray for it counts as well. plain: ray.tune as
its documentation has it, a function and MLflow's callback. lean: the same without Ray's own result files, and with a
class whose processes are used again.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from benchmarks.driver.idle import METRICS

LR = (1e-5, 1.0)
WORKERS = 2


def ours(folder: Path, trials: int, epochs: int, seconds: float) -> None:
    import tune

    document = {
        "study": "idle",
        "trainable": "benchmarks.driver.idle",
        "objective": {"metric": "val/score", "mode": "max"},
        "space": {"lr": {"low": LR[0], "high": LR[1], "log": True}, "epochs": epochs, "seconds": seconds},
        "scheduler": {"name": "asha", "eta": 4},
        "budget": {"trials": trials},
        "resources": {"gpu": 0, "cpu": 1, "concurrent": WORKERS},
    }
    file = folder / "idle.yaml"
    file.write_text(yaml.safe_dump(document))
    try:
        tune.main(["run", str(file), "--home", str(folder / "runs"), "--skip-preflight"])
    except SystemExit as end:
        assert end.code == 0, end.code


def plain(folder: Path, trials: int, epochs: int, *, lean: bool = False) -> None:
    if lean:
        os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    import ray
    from ray import tune
    from ray.air.integrations.mlflow import MLflowLoggerCallback
    from ray.tune.schedulers import ASHAScheduler

    def function(config: dict[str, Any]) -> None:
        for _ in range(config["epochs"]):
            tune.report(dict(METRICS))

    class Class(tune.Trainable):
        def setup(self, config: dict[str, Any]) -> None:
            self.left = config["epochs"]

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.setup(new_config)
            return True

        def step(self) -> dict[str, Any]:
            self.left -= 1
            return METRICS | {"done": not self.left}

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            return None

        def load_checkpoint(self, checkpoint: Any) -> None:
            return None

    ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False)
    tuner = tune.Tuner(
        tune.with_resources(Class if lean else function, {"cpu": 1}),
        param_space={"lr": tune.loguniform(*LR), "epochs": epochs},
        tune_config=tune.TuneConfig(
            metric="val/score",
            mode="max",
            num_samples=trials,
            scheduler=ASHAScheduler(max_t=max(2, epochs), grace_period=1, reduction_factor=4),
            **({"reuse_actors": True} if lean else {}),
        ),
        run_config=tune.RunConfig(
            name="idle",
            storage_path=str(folder / "ray"),
            verbose=0,
            callbacks=[MLflowLoggerCallback(tracking_uri=f"sqlite:///{folder}/mlflow.db", experiment_name="idle")],
        ),
    )
    results = tuner.fit()
    assert len(results) == trials
    assert lean or all(result.metrics["training_iteration"] == epochs for result in results)


def main(kind: str, folder: str, trials: str, epochs: str, seconds: str = "0") -> None:
    if kind == "ours":
        ours(Path(folder), int(trials), int(epochs), float(seconds))
    else:
        plain(Path(folder), int(trials), int(epochs), lean=kind == "lean")
    children = resource.getrusage(resource.RUSAGE_CHILDREN) if kind == "ours" else None  # Ray's own are not the driver
    seconds = time.process_time() + (children.ru_utime + children.ru_stime if children else 0.0)
    print("\n" + json.dumps({"seconds": seconds}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
