"""What several test modules and the benchmarks share. Nothing in here is a test."""
