"""Writes checkpoints whole or not at all, verifies them when they are read, and deletes those of no more use."""
