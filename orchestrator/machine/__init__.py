"""Looks at this machine: what is wrong with it, what it has, and the facts of a run on it."""
