"""Random search proposes configs of the space, each once, the same for the same seed."""

from __future__ import annotations

from typing import Any

from orchestrator.mistake import Mistakes
from orchestrator.plain_data import config_key
from orchestrator.policies.random_search import RandomSearcher
from orchestrator.space.search_space import SearchSpace
from orchestrator.space.space_parser import parse_space
from orchestrator.trial import Trial


def space_of(**raw: Any) -> SearchSpace:
    problems = Mistakes()
    space = parse_space(raw, [], None, problems)
    assert not problems
    return space


def propose(space: SearchSpace, seed: int, count: int) -> list[dict[str, Any]]:
    searcher, trials = RandomSearcher(space, seed), []
    for number in range(1, count + 1):
        config = searcher.propose(trials)
        if config is None:
            break
        trials.append(Trial(number, config))
    return [trial.config for trial in trials]


SPACE = {"lr": {"low": 1e-5, "high": 1e-1, "log": True}, "batch_size": [4, 8, 16]}


def test_the_same_seed_gives_the_same_configs():
    space = space_of(**SPACE)
    assert propose(space, 0, 12) == propose(space, 0, 12)
    assert propose(space, 0, 12) != propose(space, 1, 12)


def test_a_search_that_goes_on_proposes_what_an_undisturbed_one_would():
    space = space_of(**SPACE)
    whole = propose(space, 0, 6)
    trials = [Trial(number, config) for number, config in enumerate(whole[:4], start=1)]
    assert RandomSearcher(space, 0).propose(trials) == whole[4]


def test_what_other_studies_found_changes_no_draw():
    space = space_of(**SPACE)
    others = [Trial(7, config, origin="other/7") for config in propose(space, 0, 3)]
    assert RandomSearcher(space, 0).propose([], others) == RandomSearcher(space, 0).propose([])


def test_with_trials_left_out_the_draws_go_on_after_the_last_number():
    space = space_of(**SPACE)
    _, second, third = propose(space, 0, 3)
    assert RandomSearcher(space, 0).propose([Trial(2, second)]) == third


def test_no_config_is_proposed_twice_and_a_small_space_ends():
    configs = propose(space_of(a=[1, 2, 3], b=[True, False]), 0, 100)
    assert len(configs) == 6
    assert len({config_key(config) for config in configs}) == 6


def test_the_last_config_of_a_large_choice_is_found_though_no_draw_meets_it():
    space = space_of(a=list(range(5000)))
    trials = [Trial(number, {"a": number}) for number in range(1, 5000)]
    assert RandomSearcher(space, 0).propose(trials) == {"a": 0}
    assert RandomSearcher(space, 0).propose([*trials, Trial(5000, {"a": 0})]) is None


def test_a_fixed_space_holds_one_config():
    assert propose(space_of(lr=0.1), 0, 5) == [{"lr": 0.1}]
