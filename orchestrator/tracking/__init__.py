"""Shows the ledger in MLflow: sends in the background, may send anything again, and reads no decision from it."""

from orchestrator.tracking.pages import serve_ui
from orchestrator.tracking.sender import SyncResult
from orchestrator.tracking.store import TrackingError, default_uri
from orchestrator.tracking.sync import forget, log_report, sync
from orchestrator.tracking.tracker import Tracker

__all__ = ["SyncResult", "Tracker", "TrackingError", "default_uri", "forget", "log_report", "serve_ui", "sync"]
