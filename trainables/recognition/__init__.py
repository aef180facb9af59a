"""Text recognition: CRNN and CTC over a timm backbone. The hooks import torch only when they are called."""

from __future__ import annotations

from trainables.recognition.config import Config

__all__ = ["Config"]
