"""Makes a failure of whatever a trainable raised: its cause in one line, the traceback, the place.

Nothing here raises, whatever the exception is like: one whose text cannot be made is told as such.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator

from orchestrator import disk
from orchestrator.checkpoints.storage import StorageError
from orchestrator.job import Failure, FailureClass
from orchestrator.secret import mask_addresses
from orchestrator.worker.traceback_text import Cause, Frame, causes_in, first_lines, place_of

_LONGEST_CHAIN = 100
_LONGEST_MESSAGE = 500  # Characters.

_OUT_OF_MEMORY = (
    "CUDA out of memory",
    "CUDA error: out of memory",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
)


def failure_of(error: BaseException, place: str | None = None) -> Failure:
    """Returns the failure that an exception is. place: where it comes from, if its traceback does not tell."""
    try:
        return _failure(error, place)
    except Exception as ours:  # An exception can be anything, its class, its `__cause__` and its notes included.
        name = type(error).__name__
        return Failure(FailureClass.EXCEPTION, f"{name}: it cannot be shown ({type(ours).__name__})", None, place, name)


def _failure(error: BaseException, place: str | None) -> Failure:
    if isinstance(error, StorageError):
        return Failure(FailureClass.STORAGE, clean(text_of(error)))
    full = disk.full_disk(error)
    if full is not None:  # Of a log, or of a file of the trainable's own.
        return Failure(FailureClass.STORAGE, clean(f"no room left to write: {full}"))
    causes = list(_causes(error))
    kind = FailureClass.OUT_OF_MEMORY if is_out_of_memory(error) else FailureClass.EXCEPTION
    return Failure(
        kind,
        clean(mask_addresses(_message(causes))),
        clean(mask_addresses("".join(traceback.format_exception(error)))),
        place or causes[-1].place,
        clean(causes[-1].kind),
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Tells Python's, torch's, and what CUDA's libraries and torch's CPU allocator say in a plain RuntimeError."""
    return any(_says_out_of_memory(each) for each in _explicit_chain(error))


def _says_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    if not isinstance(error, RuntimeError):
        return False
    text = text_of(error)
    wrapped = causes_in("", text)
    if wrapped and wrapped[-1].kind in ("MemoryError", "OutOfMemoryError"):
        return True
    return any(words in text for words in _OUT_OF_MEMORY)


def _explicit_chain(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(_LONGEST_CHAIN):
        if error is None:
            return
        yield error
        error = error.__cause__


def _chain(error: BaseException) -> Iterator[tuple[str, BaseException]]:
    """Yields the exception and all that it came from, each with how it relates to the one before."""
    how, found = "", error
    seen: set[int] = set()
    while id(found) not in seen and len(seen) < _LONGEST_CHAIN:
        seen.add(id(found))
        yield how, found
        if found.__cause__ is not None:
            how, found = "caused by", found.__cause__
        elif isinstance(found, BaseExceptionGroup):
            how, found = "caused by", found.exceptions[0]
        elif found.__context__ is not None and not found.__suppress_context__:
            how, found = "raised while handling", found.__context__


def _causes(error: BaseException) -> Iterator[Cause]:
    """Yields the causes from the outermost to the first one, those that texts wrap included; equal ones once."""
    before: Cause | None = None
    for how, each in _chain(error):
        for cause in _told(how, each):
            if before is not None and (cause.kind, cause.text) != (before.kind, before.text):
                yield before
            elif before is not None:  # Of the same exception in two processes, the first one's place is the true one.
                cause = Cause(before.how, cause.kind, cause.text, cause.place or before.place)
            before = cause
    if before is not None:
        yield before


def _told(how: str, error: BaseException) -> list[Cause]:
    text = text_of(error)
    wrapped = causes_in(how, text)
    if type(error).__name__ in ("RemoteTraceback", "_RemoteTraceback") and wrapped:
        return wrapped  # Of a process pool: the exception's own traceback in the other process, as text.
    frames = [Frame(each.filename, each.lineno or 0) for each in traceback.extract_tb(error.__traceback__)]
    name = type(error).__name__
    head = text.partition("Traceback (most recent call last):")[0] if wrapped else text
    said = first_lines(head.removesuffix("Original ") if wrapped else head)
    if wrapped and _only_wraps(said):
        return wrapped
    output = getattr(error, "stderr", None)  # Of a subprocess that failed.
    if isinstance(output, (str, bytes)) and output.strip():
        last = output if isinstance(output, str) else output.decode(errors="replace")
        said += f": {last.strip().splitlines()[-1]}"
    own = Cause(how, name, said.removesuffix(":") if wrapped else said, place_of(frames))
    return [own, *causes_in("caused by", text)]


def _only_wraps(said: str) -> bool:
    """Tells whether a text says no more than that another one follows, as torch's does."""
    return not said or (said.startswith(("Caught ", "-- Process ")) and len(said) < 200)


def _message(causes: list[Cause]) -> str:
    outer, first = causes[0], causes[-1]
    message = f"{outer.kind}: {outer.text or 'no message'}"
    if len(causes) > 1:
        message = f"{message[: _LONGEST_MESSAGE // 2]}; {first.how} {first.kind}"
        message += f": {first.text}" if first.text else ""
    return message[:_LONGEST_MESSAGE]


def text_of(error: BaseException) -> str:
    """Returns what the exception says; where its __str__ raises, a sentence about that."""
    try:
        return str(error)
    except BaseException as raised:
        return f"its text cannot be shown, because its __str__ raised {type(raised).__name__}"


def clean(text: str) -> str:
    """Returns the text as any database and file takes it: lone surrogates and NUL become a backslash and digits."""
    return str.__str__(text).replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode()
