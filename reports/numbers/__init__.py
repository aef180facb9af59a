"""Every number of a report, computed from a study: no text, no picture."""
