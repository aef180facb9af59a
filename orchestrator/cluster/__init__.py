"""Runs a study's session on Ray: the cluster, the studies that share it, and one attempt in a worker."""
