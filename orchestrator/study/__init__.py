"""Runs a study, without Ray: which job is next, and what follows from a report."""
