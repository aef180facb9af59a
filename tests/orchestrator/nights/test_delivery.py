"""To whom the digest of a night goes, how often it is tried, and what is owed after it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from orchestrator.nights.apprise_client import AppriseMail, without_address
from orchestrator.nights.delivery import PAUSES, Message, deliver, is_owed, variables, what_is_missing
from orchestrator.nights.record import Delivery, NightRecord, StudyRecord, TurnRecord

HOUR = 3600.0
MESSAGE = Message("night.yaml: no change", "no change\n  a: paused")
ENVIRONMENT = {"ONE": "json://one", "TWO": "json://two json://three", "WRONG": "hunter2"}


@dataclass
class World:
    """Is a clock, and a post office that refuses an address so often."""

    refusals: dict[str, int] = field(default_factory=dict)
    asked: int = 0
    at: float = 10 * HOUR
    taken: list[tuple[str, str]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds
        self.pauses.append(seconds)

    def addresses(self, text: str) -> list[str]:
        return text.split()

    def service(self, address: str) -> str | None:
        return "JSON" if address.startswith("json://") else None

    def send(self, address: str, message: Message) -> str | None:
        self.refusals[address] = self.refusals.get(address, 0) - 1
        if self.refusals[address] >= 0:
            return "error=503"
        self.taken.append((address, message.subject))
        return None


def night(**given: object) -> NightRecord:
    record = NightRecord("night.yaml", "2026-03-13", 1 * HOUR, 10 * HOUR, None, 1)
    record.ended, record.why = 10 * HOUR, "the window ended"
    record.studies = [StudyRecord("a.yaml", 1.0, "a", turns=[TurnRecord(1 * HOUR, 10 * HOUR, 9 * HOUR, 0)])]
    for name, value in given.items():
        setattr(record, name, value)
    return record


def send(record: NightRecord, world: World, *names: str, message: Message = MESSAGE) -> list[tuple[str, int, bool]]:
    deliver(record, message, names, ENVIRONMENT, world, world, lambda: None, PAUSES)
    return [(each.target, each.tries, each.sent is not None) for each in record.deliveries]


def test_whoever_refuses_is_tried_three_times_with_growing_pauses_and_the_others_have_it_once():
    world, record = World({"json://two": 2, "json://three": 9}), night()
    assert send(record, world, "ONE", "TWO") == [
        ("ONE (JSON)", 1, True),
        ("TWO (JSON)", 3, True),
        ("TWO, address 2 (JSON)", 3, False),
    ]
    assert [address for address, _ in world.taken] == ["json://one", "json://two"]
    assert world.pauses == [5.0, 25.0] and record.deliveries[2].error == "error=503"
    assert is_owed(record, None, 11 * HOUR) and not is_owed(record, record.start, 11 * HOUR)
    assert not is_owed(record, None, 10 * HOUR + 8 * 86400)
    world.refusals.clear()
    assert send(record, world, "ONE", "TWO")[2] == ("TWO, address 2 (JSON)", 4, True)
    assert [address for address, _ in world.taken] == ["json://one", "json://two", "json://three"]
    assert not is_owed(record, None, 11 * HOUR)


def test_a_night_that_went_on_after_its_digest_or_says_another_thing_sends_it_again():
    world, record = World(), night()
    send(record, world, "ONE")
    send(record, world, "ONE")
    assert len(world.taken) == 1
    send(record, world, "ONE", message=Message("night.yaml: broken: a", ""))
    assert len(world.taken) == 2
    record.studies[0].turns.append(TurnRecord(world.at + 1, world.at + 2, 1, 0))
    world.at += 3
    send(record, world, "ONE", message=Message("night.yaml: broken: a", ""))
    assert len(world.taken) == 3


def test_what_cannot_be_reached_is_not_tried_and_one_who_stops_the_process_ends_the_tries():
    world, record = World(), night()
    assert send(record, world, "NONE", "WRONG") == [("NONE", 0, False), ("WRONG", 0, False)]
    assert world.pauses == [] and is_owed(record, None, 11 * HOUR)
    assert what_is_missing(("ONE", "NONE", "WRONG"), ENVIRONMENT, world) == [
        "notify: NONE: must be set, to an address of apprise; `export NONE=...`",
        "notify: WRONG: must be an address that apprise knows, which it is not; "
        "https://appriseit.com/services/ lists them",
    ]
    assert send(night(), World(asked=1), "ONE") == [("ONE (JSON)", 0, False)]


@pytest.mark.parametrize(
    ("given", "owed"),
    [
        ({"ended": None, "why": None}, True),  # killed, and not gone on with
        ({"why": "interrupted"}, False),
        ({}, False),  # when it ended nobody was to be told
        ({"deliveries": [Delivery("ONE", 1)]}, True),
        ({"deliveries": [Delivery("ONE", 1, sent=10 * HOUR)]}, False),
        ({"ended": None, "why": None, "deliveries": [Delivery("ONE", 1, sent=0.5 * HOUR)]}, True),
    ],
)
def test_a_digest_is_owed_by_a_night_that_ended_untold_or_was_cut_off_and_not_by_one_that_was_interrupted(
    given: dict[str, object], owed: bool
):
    assert is_owed(night(**given), None, 11 * HOUR) is owed


def test_the_variable_of_all_nights_counts_where_the_file_names_none():
    everywhere = {"NIGHTSWEEP_NOTIFY": "json://x"}
    assert variables(None, everywhere) == ("NIGHTSWEEP_NOTIFY",) and variables(None, {}) == ()
    assert variables(("ONE",), everywhere) == ("ONE",) and variables((), everywhere) == ()


def test_no_part_of_an_address_is_left_in_a_sentence():
    address = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdn%40zk/#general?footer=hunter2"
    said = "POST https://hooks.slack.com/T1JJ3T3L2/A1BRTD4JD/TIiajkdn@zk failed for hunter2, error=404"
    assert without_address(said, address) == "POST https://hooks.slack.com/***/***/*** failed for ***, error=404"


def test_apprise_knows_an_address_by_its_service_and_says_why_it_could_not_be_reached():
    office = AppriseMail()
    assert office.addresses("json://a, mailto://b:c@d.org") == ["json://a", "mailto://b:c@d.org"]
    assert (office.service("json://a"), office.service("nonsense://a")) == ("JSON", None)
    for address in ("json://ada:hunter2@127.0.0.1:9/token", "mailto://ada:hunter2@127.0.0.1:9?from=ada@example.org"):
        why = office.send(address, MESSAGE)
        assert why is not None and "Connection refused" in why and "hunter2" not in why and "token" not in why
