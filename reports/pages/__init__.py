"""Turns numbers and figures into the tables, sections and texts of a page."""
