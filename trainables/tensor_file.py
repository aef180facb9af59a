"""Reads files of tensors without executing anything in them, and without filling the memory with a small file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import torch


def load_tensors(file: Path, *, mmap: bool = False) -> Any:
    """Returns what torch.save wrote, on the CPU: tensors, numbers, texts, and lists and mappings of them.

    mmap: tensors stay in the file until they are needed. Raises ValueError for a file that refuse_bomb refuses,
    pickle.UnpicklingError for one that holds anything else, OSError.
    """
    refuse_bomb(file)
    return torch.load(file, map_location="cpu", weights_only=True, mmap=mmap)


def refuse_bomb(file: Path) -> None:
    """Raises ValueError for an archive whose content is larger than the file itself.

    torch writes tensors as they are but reads compressed ones too, of which a small file may hold enough to fill the
    memory.
    """
    if not zipfile.is_zipfile(file):
        return  # Before 1.6, torch wrote no archives and compressed nothing. Of other files torch says what they are.
    with zipfile.ZipFile(file) as archive:
        parts = archive.infolist()
    whole, size = sum(part.file_size for part in parts), file.stat().st_size
    if whole > size or any(part.compress_type != zipfile.ZIP_STORED for part in parts):
        raise ValueError(
            f"{file}: must hold its tensors as they are, but its {size} bytes stand for {whole}; torch.save writes no "
            "such file: do not use it"
        )
