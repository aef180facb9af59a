"""Checks how studies share one cluster, and how many of a study's trials fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cluster.sharing import Claim, allowed, gpus_per_trial, shares
from orchestrator.errors import InputMistake
from orchestrator.study_file.sections import BudgetSpec
from orchestrator.study_file.study_spec import StudySpec, parse_study

TWO_CORES = [{"CPU": 2.0, "GPU": 0.0}]
ONE_GPU = [{"CPU": 16.0, "GPU": 1.0}]


def claim(job: str, *, cpu: float = 1.0, gpu: float = 0.0, wanted: int = 99, running: int = 0, since: float = 0.0):
    return Claim(job, f"study {job}", 1, "here", cpu, gpu, wanted, running, since)


@pytest.mark.parametrize(
    ("nodes", "claims", "expected"),
    [
        (TWO_CORES, [claim("a")], {"a": 2}),
        (TWO_CORES, [claim("a"), claim("b")], {"a": 1, "b": 1}),
        (TWO_CORES, [claim("a", since=2), claim("b", since=1), claim("c", since=3)], {"a": 1, "b": 1, "c": 0}),
        ([{"CPU": 8.0, "GPU": 0.0}], [claim("a"), claim("b", wanted=1)], {"a": 7, "b": 1}),
        ([{"CPU": 3.0, "GPU": 0.0}], [claim("a", since=2), claim("b", since=1)], {"a": 1, "b": 2}),
        (ONE_GPU, [claim("a", gpu=1, cpu=4, since=1), claim("b", gpu=1, cpu=4)], {"a": 0, "b": 1}),
        (ONE_GPU, [claim("a", gpu=1, cpu=4), claim("b", cpu=4)], {"a": 1, "b": 3}),
        (TWO_CORES, [claim("small", since=1), claim("large", cpu=2)], {"small": 0, "large": 1}),
        (TWO_CORES, [claim("small"), claim("large", cpu=2, since=1)], {"small": 2, "large": 0}),
        ([{"CPU": 3.0, "GPU": 0.0}] * 2, [claim("a", cpu=2)], {"a": 2}),  # Not three, although there are six cores.
        ([{"CPU": 1.0, "GPU": 0.3}], [claim("a", cpu=0.1, gpu=0.1)], {"a": 3}),
    ],
)
def test_shares_of_machines_of_every_kind(nodes, claims, expected):
    assert shares(nodes, claims) == expected


def test_a_study_alone_has_all_that_it_wants():
    assert (
        allowed(claim("a", wanted=5), [], TWO_CORES) == 5
    )  # `wanted` already respects the limits of the file and of the machine.


def test_a_share_that_another_still_uses_is_waited_for():
    other = claim("a", running=2, since=1)
    assert allowed(claim("b"), [other], TWO_CORES) == 0
    assert allowed(other, [claim("b")], TWO_CORES) == 1  # One of its two must end.
    assert allowed(claim("b"), [replace(other, running=1)], TWO_CORES) == 1


def test_who_has_no_place_although_there_is_room_in_pieces_makes_the_others_wait():
    pieces = [{"CPU": 2.0, "GPU": 0.0}] * 2
    stuck = replace(claim("large", cpu=2, running=1, since=1), stuck=True)
    spread = claim("small", running=2, since=2)
    assert allowed(spread, [stuck], pieces) == 0
    assert allowed(replace(spread, running=0), [stuck], pieces) > 0  # It no longer stands in the way.
    assert allowed(stuck, [spread], pieces) == 1


NODES = st.lists(
    st.fixed_dictionaries({"CPU": st.sampled_from([1.0, 2.0, 3.0, 8.0]), "GPU": st.sampled_from([0.0, 1.0, 2.0])}),
    min_size=1,
    max_size=3,
)
CLAIMS = st.lists(
    st.builds(
        claim,
        st.sampled_from("abcdef"),
        cpu=st.sampled_from([0.5, 1.0, 2.0]),
        gpu=st.sampled_from([0.0, 0.5, 1.0]),
        wanted=st.integers(0, 5),
        since=st.floats(0, 10),
    ),
    max_size=4,
    unique_by=lambda c: c.job,
)


@given(NODES, CLAIMS)
def test_nobody_gets_more_than_it_wants_or_than_there_is(nodes, claims):
    got = shares(nodes, claims)
    assert got.keys() == {c.job for c in claims}
    assert all(0 <= got[c.job] <= c.wanted for c in claims)
    for kind, size in (("CPU", "cpu"), ("GPU", "gpu")):
        used = sum(got[c.job] * getattr(c, size) for c in claims)
        assert used <= sum(node[kind] for node in nodes) + 1e-6


@given(NODES, CLAIMS)
def test_studies_that_take_turns_all_finish(nodes, claims):
    """Simulates a machine on which a trial takes one step: each study that fits at all ends all its trials."""
    left = {c.job: c.wanted for c in claims if any(n["CPU"] >= c.cpu and n["GPU"] >= c.gpu for n in nodes)}
    state = {c.job: replace(c, running=0) for c in claims if c.job in left}
    clock = 100.0
    for _ in range(2 * sum(left.values()) + 1):
        for job in sorted(state):
            state[job] = replace(state[job], running=0)  # What ran has ended.
            others = [c for c in state.values() if c.job != job]
            own = replace(state[job], wanted=left[job])
            state[job] = own
            starts = allowed(own, others, nodes)
            if starts:
                clock += 1
                left[job] -= starts
                state[job] = replace(own, wanted=left[job], running=starts, since=clock)
    assert not any(left.values())


# One study


def spec(**resources: Any) -> StudySpec:
    objective = {"metric": "val/score", "mode": "max"}
    raw = {"study": "toy", "trainable": "tests.toy", "objective": objective, "space": {"lr": 0.1}}
    return parse_study(raw | {"resources": resources}, "toy.yaml")


@pytest.mark.parametrize(
    ("resources", "available", "gpus"),
    [
        ({}, {"CPU": 2.0, "GPU": 0.0}, 0.0),
        ({}, {"CPU": 16.0, "GPU": 2.0}, 1.0),
        ({"gpu": 0.5, "cpu": 4}, {"CPU": 16.0, "GPU": 1.0}, 0.5),
        ({"gpu": 0, "cpu": 0.5}, {"CPU": 2.0, "GPU": 1.0}, 0.0),
    ],
)
def test_a_trial_takes_the_gpus_of_the_file_or_one_where_there_is_one(
    resources: dict[str, Any], available: dict[str, float], gpus: float
):
    assert gpus_per_trial(spec(**resources), available) == gpus


def test_a_gpu_that_is_not_there_is_the_users_mistake_with_two_ways_out():
    with pytest.raises(InputMistake, match=r"resources\.gpu: must be at most the 0 GPUs .* got 1; .*resources\.gpu=0"):
        gpus_per_trial(spec(gpu=1), {"CPU": 2.0, "GPU": 0.0})


def test_more_cores_than_there_are_is_the_users_mistake():
    with pytest.raises(InputMistake, match=r"resources\.cpu: must be at most the 2 CPU cores .* but got 4"):
        gpus_per_trial(spec(gpu=0, cpu=4), {"CPU": 2.0, "GPU": 0.0})


def test_gpu_hours_alone_do_not_limit_trials_that_take_no_gpu():
    study = spec(gpu=0)
    endless = study.model_copy(update={"budget": BudgetSpec(gpu_hours=5.0)})
    with pytest.raises(InputMistake, match=r"budget\.gpu_hours: must not be the only limit .* budget\.hours=8"):
        gpus_per_trial(endless, {"CPU": 2.0, "GPU": 0.0})
    bounded = study.model_copy(update={"budget": BudgetSpec(gpu_hours=5.0, trials=4)})
    assert gpus_per_trial(bounded, {"CPU": 2.0, "GPU": 0.0}) == 0.0
