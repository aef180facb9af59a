"""Writes the report of a study: what won, by how much, how sure that is, and everything to run it again."""
