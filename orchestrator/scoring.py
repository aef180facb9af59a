"""After the search, once: the winner and the baselines on the test split, and pictures of what the winner sees."""

from __future__ import annotations

from pathlib import Path

from orchestrator.cluster.worker import WorkerRun, load, redirect_output
from orchestrator.home import trial_directory
from orchestrator.job import Job, Workplace
from orchestrator.study.study import Study
from orchestrator.trial import Trial
from trainables import Trainable


def due(study: Study, trainable: Trainable) -> list[Trial]:
    """The winner and the baselines that still lack a score or pictures, and have a checkpoint to make them from."""
    best = study.best
    if best is None or (trainable.test is None and trainable.examples is None):
        return []
    wanted = [best] + [t for t in study.trials if t.baseline is not None and t.number != best.number]
    return [t for t in wanted if t.test is None and study.best_kept_epoch(t) is not None]


def job_of(trial: Trial, study: Study) -> Job:
    """The scoring of one trial as a job: the best of its checkpoints is the one to load."""
    return Job(trial.number, trial.attempts, trial.config, trial.seed, study.best_kept_epoch(trial))


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
