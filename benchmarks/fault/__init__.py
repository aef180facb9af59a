"""Causes for real the faults that users meet in a night, and counts what was lost: nothing, as it must be."""
