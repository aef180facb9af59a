"""Starts the program as `python -m tune`, whatever script on PATH is called `tune`."""

from tune.program import main

main()
