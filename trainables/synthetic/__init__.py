"""Draws images with exact labels, so that a study can run without data."""

# Raise a version whenever the same seed draws other bytes: drawings that are kept on disk are then drawn anew.
DRAWING_VERSION = 4  # of receipts
PLATE_DRAWING_VERSION = 1  # of licence plates
