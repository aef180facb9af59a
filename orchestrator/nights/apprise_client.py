"""Makes all calls of apprise: takes a text apart into addresses, and sends one message to one of them.

An address holds a secret, such as a password or Slack's tokens. So no sentence that leaves this file has a part of one:
what apprise says of a failure passes `without_address`.
"""

from __future__ import annotations

import logging
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote

from orchestrator.mistake import one_line
from orchestrator.nights.delivery import Message
from orchestrator.secret import HIDDEN, mask

SEND_SECONDS = 20.0  # for one address; what answers later is taken as away
_SHORTEST_SECRET = 4  # letters: shorter parts of an address stand in any sentence
_LOGGERS = ("apprise", "urllib3", "asyncio")
# What an exception says of its cause without saying anything of the address.
_CAUSE = re.compile(r"\[Errno -?\d+\] [A-Za-z ]+|certificate verify failed|timed out|\((?:4|5)\d\d, ")


class AppriseMail:
    """Is the post office of a night: apprise, with the libraries that it logs through kept quiet."""

    def addresses(self, text: str) -> list[str]:
        """Returns the addresses in the value of a variable, which are set apart by commas or spaces."""
        from apprise.utils.parse import parse_urls

        with _quiet():
            return [str(url) for url in parse_urls(text)]

    def service(self, address: str) -> str | None:
        """Returns the name of the service, such as `E-Mail`; None where apprise does not know such an address."""
        from apprise import Apprise

        with _quiet():
            found = Apprise.instantiate(address)
        return None if found is None else str(found.service_name)

    def send(self, address: str, message: Message) -> str | None:
        """Sends plain text; returns why that failed, without the address; None where it was taken.

        Returns after SEND_SECONDS at the latest.
        """
        said: list[str] = []
        answers: list[bool] = []
        with _quiet(said):
            # apprise has no limit of time that holds for every service and version.
            thread = threading.Thread(target=_send, args=(address, message, answers, said), daemon=True)
            thread.start()
            thread.join(SEND_SECONDS)
        if answers == [True]:
            return None
        if thread.is_alive():
            return f"no answer within {SEND_SECONDS:.0f} s"
        return without_address("; ".join(dict.fromkeys(said)) or "it was not taken, and no reason was given", address)


def without_address(text: str, address: str) -> str:
    """Masks every part of an address in a text, as written and as meant (`%40` is `@`)."""
    _, _, rest = address.partition("://")
    place, _, query = rest.partition("?")
    parts = re.split(r"[/:@,#]+", place) + [pair.partition("=")[2] for pair in query.split("&")]
    # Longer ones first: a part can be a part of another.
    for part in sorted({*parts, *map(unquote, parts)}, key=len, reverse=True):
        if len(part) >= _SHORTEST_SECRET:
            text = text.replace(part, HIDDEN)
    return one_line(mask(text), 300)


def _send(address: str, message: Message, answers: list[bool], said: list[str]) -> None:
    from apprise import Apprise, AppriseAsset, NotifyFormat, OverflowMode, PersistentStoreMode

    try:
        asset = AppriseAsset(app_id="nightsweep", async_mode=False, storage_mode=PersistentStoreMode.MEMORY)
        post = Apprise(asset=asset)
        service = Apprise.instantiate(address, asset=asset)
        if service is None:
            said.append("apprise does not know such an address")
        else:
            if "overflow=" not in address:  # A digest that is too long for a chat comes in several messages.
                service.overflow_mode = OverflowMode.SPLIT
            post.add(service)
            answers.append(bool(post.notify(message.body, title=message.subject, body_format=NotifyFormat.TEXT)))
    except Exception as error:  # of any of its services; a night does not end by it
        said.append(f"apprise raised {type(error).__name__}")


class _Listener(logging.Handler):
    """Keeps what apprise says of a failure: its warnings, and of the rest only what is known to be harmless."""

    def __init__(self, said: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.levelno >= logging.WARNING:
            self._said.append(text.strip().rstrip("."))
        elif "Exception" in text:
            self._said += [cause.strip("(, ") for cause in _CAUSE.findall(text)]


@contextmanager
def _quiet(said: list[str] | None = None) -> Iterator[None]:
    """Lets nothing of what the libraries log reach a terminal or a log. said: is given why something failed."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger.propagate, logger.level) for logger in loggers]
    handler = _Listener([] if said is None else said)
    for logger in loggers:
        logger.propagate = False
        if logger.name == "apprise":
            logger.setLevel(logging.DEBUG)
        logger.addHandler(handler if logger.name == "apprise" else logging.NullHandler())
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, (propagate, level) in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.propagate = propagate
            logger.setLevel(level)
