"""After the search, once: the winner and the baselines on the test split, and pictures of what the winner sees."""

from __future__ import annotations

from pathlib import Path

from orchestrator.home import trial_directory
from orchestrator.job import Job, Workplace
from orchestrator.worker.attempt import redirect_output
from orchestrator.worker.run import WorkerRun, load


def score(job: Job, workplace: Workplace, pictures: bool) -> dict[str, float]:
    """Runs in a worker. Returns the test metrics, {} without a test split; pictures go to trials/NNNN/examples/."""
    directory = trial_directory(Path(workplace.study_directory), job.number)
    redirect_output(directory / "log.txt")
    trainable = load(workplace)
    config = trainable.build_config(job.config)
    assert job.checkpoint_epoch is not None
    with WorkerRun(workplace, job.number, job.seed).at(job.checkpoint_epoch) as run:
        if pictures and trainable.examples is not None:
            (directory / "examples").mkdir(exist_ok=True)
            trainable.examples(config, run, directory / "examples")
        return dict(trainable.test(config, run)) if trainable.test is not None else {}
