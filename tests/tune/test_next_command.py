"""The commands that the last lines of a run propose keep what was typed."""

from __future__ import annotations

import pytest

from tune.next_command import check, go_on, home_option, more

LONG = "tune run s.yaml --set 'data.root=my crops' --name n --trials 8 --until=07:00 --fresh --home h"


@pytest.mark.parametrize(
    ("proposal", "said"),
    [
        (go_on, "tune run s.yaml --set 'data.root=my crops' --name n --trials 8 --home h"),
        (more, "tune run s.yaml --set 'data.root=my crops' --name n --home h --trials +4"),
        (check, "tune check s.yaml --set 'data.root=my crops' --home h"),
    ],
)
def test_what_was_typed_is_kept_but_for_what_would_not_go_on(proposal, said: str):
    assert proposal(LONG) == said


def test_a_smoke_run_leads_to_a_check_of_its_file():
    assert check("tune run --smoke s.yaml --skip-preflight") == "tune check s.yaml"


def test_the_home_that_was_typed_belongs_to_what_is_typed_next():
    assert home_option(LONG) == " --home h"
    assert home_option("tune run s.yaml") == ""


def test_an_option_without_its_value_is_kept_as_it_is():
    assert go_on("tune run s.yaml --name") == "tune run s.yaml --name"
