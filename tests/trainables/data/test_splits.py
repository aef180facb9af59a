"""Checks that folds keep groups together, differ little in size, and do not depend on the order of the labels."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from trainables.data.splits import held_out


def test_each_group_is_held_out_once_and_folds_are_of_nearly_one_size() -> None:
    rng = random.Random(0)
    groups = [f"page {rng.randrange(40)}" for _ in range(1000)]
    parts = [held_out(groups, 5, fold, seed=0) for fold in range(5)]
    assert sorted(group for part in parts for group in part) == sorted(set(groups))
    sizes = Counter(groups)
    filled = [sum(sizes[group] for group in part) for part in parts]
    assert max(filled) - min(filled) <= max(sizes.values()) / 2


def test_single_examples_are_dealt_like_cards() -> None:
    parts = [held_out([str(i) for i in range(23)], 5, fold, seed=3) for fold in range(5)]
    assert [len(part) for part in parts] == [5, 5, 5, 4, 4]


def test_the_order_of_the_labels_does_not_matter_and_the_seed_does() -> None:
    groups = [str(i % 17) for i in range(60)]
    assert held_out(groups, 4, 2, seed=0) == held_out(groups[::-1], 4, 2, seed=0)
    assert held_out(groups, 4, 2, seed=0) != held_out(groups, 4, 2, seed=1)


def test_more_folds_than_groups_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="must be at most the number of groups, 2, but got 3"):
        held_out(["a", "a", "b"], 3, 0, seed=0)
