"""Reads study files: the YAML is composed and checked, and every mistake is reported at once."""
