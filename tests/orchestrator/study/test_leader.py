"""The best trial, kept up to date, is the one that a look at all trials finds."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.study.leader import Leader
from orchestrator.study_file.sections import BudgetSpec
from orchestrator.trial import Objective, Report, State, Trial, best_trial

EVENTS = st.lists(
    st.tuples(
        st.integers(1, 5),
        st.one_of(st.tuples(st.integers(1, 4), st.integers(0, 5)), st.sampled_from([s for s in State if s.final])),
    ),
    max_size=40,
)


@given(EVENTS, st.sampled_from(["max", "min"]), st.integers(1, 4), st.integers(0, 5))
def test_the_leader_is_found_and_ends_the_search_as_by_looking_at_everything(
    events: list[tuple[int, tuple[int, int] | State]], mode: str, patience: int, target: int
):
    objective, spec = Objective("m", mode), BudgetSpec(patience=patience, target=float(target))
    trials = {number: Trial(number, {}) for number in range(1, 6)}
    leader = Leader(trials, objective, spec)
    for at, (number, what) in enumerate(events):
        trial = trials[number]
        if trial.state.final:
            continue
        if isinstance(what, State):
            trials[number] = replace(trial, state=what)
            leader.ended(trials[number])
        else:
            epoch, value = what
            reports = {r.epoch: r for r in trial.reports} | {epoch: Report(epoch, {"m": value}, 1.0, float(at))}
            repeated = epoch <= trial.epochs
            trials[number] = replace(trial, reports=tuple(reports[e] for e in sorted(reports)))
            leader.reported(trials[number], repeated=repeated)
        best = best_trial(list(trials.values()), objective)
        settled = best_trial([t for t in trials.values() if t.state in (State.COMPLETED, State.PRUNED)], objective)
        assert leader.trial == best
        assert leader.settled == (None if settled is None else settled.number)
        over = False
        if best is not None:
            value = best.value(objective)
            assert value is not None
            good = value >= target if mode == "max" else value <= target
            since = next(report.at for report in best.reports if report.metrics["m"] == value)
            ended = [t for t in trials.values() if t.state in (State.COMPLETED, State.PRUNED) and t is not best]
            over = good or sum(bool(t.reports) and t.reports[-1].at > since for t in ended) >= patience
        assert (leader.over is not None) == over
