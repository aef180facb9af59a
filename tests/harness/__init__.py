"""Holds what several test modules and the benchmarks share; nothing in here is a test."""
