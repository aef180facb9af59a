"""Checkpoints: written whole or not at all, verified when read, kept while they are worth their disk."""
