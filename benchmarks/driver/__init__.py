"""What the driver costs: beside plain Ray Tune, in unused workers, and in a study of ten thousand trials."""
