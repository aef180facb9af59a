"""In a terminal of any width the table keeps what must be read, and the config gives way."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from orchestrator.trial import Objective, Report, State, Trial
from tune.fitted_table import Column, blocks, widths
from tune.trial_table import best_first, trial_table

OBJECTIVE = Objective("val/character_accuracy", "max")
NAMES = ("backbone", "lr", "weight_decay", "warmup_epochs", "rotate_prob", "drop_path_rate", "batch_size", "optimizer")


def trial(number: int, values: list[float], state: State = State.COMPLETED, **more: object) -> Trial:
    reports = tuple(Report(epoch, {OBJECTIVE.metric: value}, 70.0, 0.0) for epoch, value in enumerate(values, start=1))
    config = {name: f"{name}-{number}" for name in NAMES}
    return Trial(number, config, state, reports=reports, **more)  # type: ignore[arg-type]


TRIALS = [
    trial(1, [0.2, 0.5, 0.4], baseline="best by hand, without any augmentation"),
    trial(2, [0.9], State.PRUNED),
    trial(3, [], State.RUNNING),
    trial(4, [0.95], State.COMPLETED, left_out="lr: is not in the space"),
    trial(12, [0.5, 0.7], State.PAUSED),
]


def printed(width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO(), color_system=None, highlight=False, markup=False)
    console.print(trial_table(best_first(TRIALS, OBJECTIVE), OBJECTIVE, width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [200, 80, 60, 44])
def test_number_state_value_and_epochs_stay_whole(width: int):
    lines = printed(width)
    assert len(lines) == 6 and all(cell_len(line.rstrip()) <= width for line in lines)
    kept = [line.split()[:5] for line in lines[1:]]
    assert kept[0] == ["0002", "pruned", "0.9000", "1", "1"]
    assert kept[1] == ["0012", "paused", "0.7000", "2", "2"]
    assert kept[2] == ["0001", "completed", "0.5000", "2", "3"]
    assert kept[3][:3] == ["0003", "running", "0"]
    assert kept[4] == ["0004", "completed", "0.9500", "1", "1"]


def test_each_name_has_a_column_where_there_is_room_and_the_config_is_cut_where_there_is_none():
    wide, narrow = printed(260), printed(80)
    assert all(name in wide[0] for name in NAMES) and "…" not in "".join(wide)
    assert "config" in narrow[0] and "backbone backbone-2" in narrow[1] and narrow[1].rstrip().endswith("…")
    assert "left out" in narrow[5] and "best by hand" in narrow[3]


def test_a_smaller_value_is_better_where_the_objective_says_so():
    smaller = Objective(OBJECTIVE.metric, "min")
    assert [each.number for each in best_first(TRIALS, smaller)] == [1, 12, 2, 3, 4]


def test_columns_give_way_from_the_right_and_are_left_out_at_last():
    columns = [
        Column("a long heading", ["1234"]),
        Column("b", ["x" * 20], yields=True),
        Column("c", ["y"], yields=True),
    ]
    assert widths(columns, 40) == [14, 20, 1]
    assert widths(columns, 30) == [14, 13, 1]
    assert widths(columns, 20) == [11, 6, 1]
    assert widths(columns, 12) == [4, 7, 0]
    assert widths(columns, 3) == [4, 0, 0]


def test_what_says_nothing_in_part_is_whole_or_left_out_and_its_room_goes_to_those_that_stay():
    columns = [
        Column("study", ["digits"]),
        Column("states", ["5 completed, 11 pruned"], yields=True),
        Column("begun", ["2026-11-28 04:47"], yields=True, whole=True),
    ]
    assert widths(columns, 46) == [6, 22, 16]
    assert widths(columns, 34) == [6, 10, 16]
    assert widths(columns, 29) == [6, 22, 0]
    assert widths(columns, 20) == [6, 13, 0]


def test_many_metrics_stand_in_tables_below_one_another_with_every_cell_whole():
    columns = [Column(name, ["0.1234"]) for name in ("epoch", "val/hmean", "train/loss", "val/precision", "seconds")]
    found = [[column.heading for column in block] for block in blocks(columns, 30)]
    assert found == [["epoch", "val/hmean", "train/loss"], ["epoch", "val/precision", "seconds"]]
    assert len(blocks(columns, 80)) == 1
    assert [len(block) for block in blocks(columns, 3)] == [2, 2, 2, 2]
