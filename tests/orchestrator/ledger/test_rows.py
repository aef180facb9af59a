from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.ledger.rows import from_json, metrics_json, storable, to_json

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
)


@given(_json)
@settings(max_examples=60, deadline=None)
def test_values_survive_their_text(value: object) -> None:
    assert from_json(to_json(value)) == value
    assert to_json(value).isascii()


def test_numpys_numbers_are_kept_as_plain_ones() -> None:
    assert from_json(to_json({"lr": np.float32(0.5), "epochs": np.int64(3)})) == {"lr": 0.5, "epochs": 3}
    assert from_json(metrics_json({"val/hmean": np.float32(0.5), "val/exact": True})) == {
        "val/hmean": 0.5,
        "val/exact": 1,
    }


def test_metrics_may_be_no_numbers() -> None:
    nan, least = from_json(metrics_json({"a": math.nan, "b": -math.inf})).values()
    assert math.isnan(nan)
    assert least == -math.inf


def test_what_is_no_value_is_refused() -> None:
    with pytest.raises(TypeError, match="a ledger holds text, numbers, true, false, null, lists and mappings, but got"):
        to_json({"x": object()})


def test_text_that_no_database_takes_is_spelt_out() -> None:
    assert storable("a\0b\udce9 é 가") == "a\\0b\\udce9 é 가"
    assert storable(None) is None
