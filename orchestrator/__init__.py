"""Leads from a study file to a finished study: search space, ledger, searcher, scheduler, Ray, MLflow."""
