"""Draws images with exact labels, so that a study can run without data."""

DRAWING_VERSION = 4  # raise it whenever the same seed draws other bytes: drawings kept on disk are then drawn anew
PLATE_DRAWING_VERSION = 1  # the same for licence plates
