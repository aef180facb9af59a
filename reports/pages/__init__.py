"""Numbers and figures as tables, sections and texts of a page."""
