"""Decides which config is next, which paused trial goes on, who stops: one file per algorithm."""
