"""Holds the search space, as domains, conditions and constraints, and draws configs from it."""
