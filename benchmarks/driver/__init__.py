"""Measures what the driver costs: beside plain Ray Tune, in unused workers, in a study of ten thousand trials."""
