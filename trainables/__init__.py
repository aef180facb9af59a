"""Trainables learn one config, epoch by epoch. They know nothing of Ray, Optuna or MLflow."""

from trainables.trainable import Finding, Run, Trainable, UnknownTrainable, load_trainable, setting

__all__ = ["Finding", "Run", "Trainable", "UnknownTrainable", "load_trainable", "setting"]
