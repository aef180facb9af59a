"""Holds what all tasks share of reading data: files, tables, splits, caches, batches, checks of labels."""
