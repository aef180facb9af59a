"""Numbers as plotly figures."""
