"""Computes every number of a report from a study: no text, no picture."""
