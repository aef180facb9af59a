"""Sends the digest of a night to the addresses that variables of the environment hold, and notes what is still owed.

What is written down names the variable and the service, never the address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from orchestrator.nights.record import INTERRUPTED_WHY, Delivery, NightRecord
from orchestrator.nights.world import Clock

VARIABLE = "NIGHTSWEEP_NOTIFY"  # is used where a night file says nothing of `notify`
PAUSES = (5.0, 25.0)  # seconds before the second and the third try
OWED_SECONDS = 7 * 86400.0  # after the end of a night, in which its digest is still of interest
_LIST = "https://appriseit.com/services/"


@dataclass(frozen=True)
class Message:
    """Holds what is sent. subject: one line. body: lines of plain text."""

    subject: str
    body: str


class PostOffice(Protocol):
    """Is what takes messages."""

    def addresses(self, text: str) -> list[str]:
        """Returns the addresses in the value of a variable."""
        ...

    def service(self, address: str) -> str | None:
        """Returns the name of its service; None where the address is none."""
        ...

    def send(self, address: str, message: Message) -> str | None:
        """Returns why it failed, without the address; None where the message was taken."""
        ...


def variables(given: Sequence[str] | None, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the variables that hold the addresses. given: those of the night file; None where it names none."""
    if given is not None:
        return tuple(given)
    return (VARIABLE,) if environment.get(VARIABLE, "").strip() else ()


def what_is_missing(names: Sequence[str], environment: Mapping[str, str], office: PostOffice) -> list[str]:
    """Returns a sentence for each variable that is not set, and for each address in it that cannot be one."""
    return [
        f"notify: {each.target}: {each.error}"
        for each, _ in _targets(names, environment, office)
        if each.error is not None
    ]


def is_owed(record: NightRecord | None, present: float | None, now: float) -> bool:
    """Returns whether somebody waits for the digest of the last night. present: the start of the night that goes on.

    A night that was cut off and did not go on is told of, too. One that somebody interrupted is not: he knows.
    """
    if record is None or record.start == present or record.why == INTERRUPTED_WHY or now > record.end + OWED_SECONDS:
        return False
    if record.ended is None and not record.deliveries:
        return True
    return any(_is_open(each, record) for each in record.deliveries)


def deliver(
    record: NightRecord,
    message: Message,
    names: Sequence[str],
    environment: Mapping[str, str],
    office: PostOffice,
    clock: Clock,
    save: Callable[[], None],
    pauses: Sequence[float],
) -> None:
    """Sends a digest to whoever has not had it, and notes it in the record; ends after the last try.

    pauses: seconds before the second try and the others. A process that is asked to stop tries no more.
    """
    known = {(each.variable, each.number): each for each in record.deliveries}
    addresses: dict[tuple[str, int], str | None] = {}
    deliveries = []
    for found, address in _targets(names, environment, office):
        key = (found.variable, found.number)
        had = known.get(key)
        addresses[key] = address
        if had is not None and not _is_open(had, record, message):
            deliveries.append(had)
        else:
            tries = had.tries if had is not None and had.sent is None else 0
            deliveries.append(replace(found, tries=tries))
    record.deliveries = deliveries
    save()
    for pause in (0.0, *pauses):
        pending = [
            (each, address)
            for each in deliveries
            if each.sent is None and (address := addresses[each.variable, each.number]) is not None
        ]
        if pause and pending and not clock.asked:
            clock.sleep(pause)
        if not pending or clock.asked:
            return
        for each, address in pending:
            each.tries += 1
            each.error = office.send(address, message)
            if each.error is None:
                each.sent, each.subject = clock.now(), message.subject
            save()


def _is_open(delivery: Delivery, record: NightRecord, message: Message | None = None) -> bool:
    """Returns whether a digest is to be sent: it was not, or the night went on after it, or says another thing now."""
    if delivery.sent is None or (message is not None and delivery.subject != message.subject):
        return True
    return any(turn.began > delivery.sent for study in record.studies for turn in study.turns)


def _targets(
    names: Sequence[str], environment: Mapping[str, str], office: PostOffice
) -> Iterator[tuple[Delivery, str | None]]:
    """Yields each address with what is noted of it; without an address, and with the reason, where there is none."""
    for name in names:
        text = environment.get(name, "").strip()
        if not text:
            yield Delivery(name, 1, error=f"must be set, to an address of apprise; `export {name}=...`"), None
            continue
        for number, address in enumerate(office.addresses(text), start=1):
            service = office.service(address)
            if service is None:
                said = f"must be an address that apprise knows, which it is not; {_LIST} lists them"
                yield Delivery(name, number, error=said), None
            else:
                yield Delivery(name, number, service), address
