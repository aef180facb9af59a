"""Defines the verbs: each parses, calls and prints. Imports stay inside the verbs: `tune --help` is instant."""
