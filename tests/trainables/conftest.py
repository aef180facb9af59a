"""Gives the tests of trainables a cache of their own, where they ask for one."""

from __future__ import annotations

import pytest


@pytest.fixture
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSWEEP_CACHE", str(tmp_path_factory.mktemp("cache")))
