"""Runs studies by night: within a window of time, in turns, every night on from where the last one ended."""
