"""Runs beside the model, in a worker process: one attempt, the `run` of a trainable, scoring, prediction."""
