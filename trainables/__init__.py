"""Holds the trainables, which learn one config epoch by epoch, and know nothing of Ray, Optuna or MLflow."""

from trainables.local_run import LocalRun, check_resumes
from trainables.signature import signature_mistake
from trainables.trainable import Finding, Run, Trainable, UnknownTrainable, load_trainable, setting

__all__ = [
    "Finding",
    "LocalRun",
    "Run",
    "Trainable",
    "UnknownTrainable",
    "check_resumes",
    "load_trainable",
    "setting",
    "signature_mistake",
]
