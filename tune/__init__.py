"""Offers the command, and prints what it has to say: verbs, live table, summaries, the next command to type."""

from tune.command import app
from tune.program import main

__all__ = ["app", "main"]
