"""Draws numbers as plotly figures."""
