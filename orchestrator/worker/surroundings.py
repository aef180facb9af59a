"""Puts back what a trial may change in its process: noted before the first one, put back after each.

What cannot be put back is a reason not to use the process for another trial.
"""

from __future__ import annotations

import builtins
import decimal
import gc
import locale
import logging
import multiprocessing
import os
import resource
import signal
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psutil

from orchestrator.worker import library_state

THREAD_SECONDS = 1.0  # A thread that is about to end gets so long.
CHILD_SECONDS = 1.0  # A child process gets so long to end by itself before it is killed.

PutBack = Callable[[], str | None]  # Returns why it could not; None where all is as it was.


class Surroundings:
    """Notes what a process is like once the trainable is imported, and makes it so again."""

    def __init__(self) -> None:
        self._parts: list[PutBack] | None = None

    def notice(self) -> None:
        """Notes the state, the first time only: later it is what the trials before have left."""
        if self._parts is None:
            self._parts = []
            for part in PARTS:
                with suppress(Exception):  # What this machine does not tell is not put back.
                    self._parts.append(part())

    def put_back(self) -> str | None:
        """Puts everything back; returns why the process cannot be used again, None where it can."""
        reasons = []
        for part in self._parts or ():
            try:
                reasons.append(part())
            except BaseException as error:  # Of what a trainable left behind, anything may raise.
                reasons.append(f"{type(error).__name__} while its state was put back")
        return "; ".join(reason for reason in reasons if reason) or None


def _children() -> PutBack:
    known = {(child.pid, child.create_time()) for child in psutil.Process().children(recursive=True)}

    def left() -> list[psutil.Process]:
        multiprocessing.active_children()  # Waits for those that have ended.
        found = []
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                is_ours = any("resource_tracker" in word for word in child.cmdline())
                if (child.pid, child.create_time()) not in known and not is_ours:
                    found.append(child)
        return found

    def put_back() -> str | None:
        children = left()
        names = []
        for child in children:
            with suppress(psutil.Error):
                if child.status() != psutil.STATUS_ZOMBIE:
                    names.append(child.name())
                child.terminate()
        for child in psutil.wait_procs(children, CHILD_SECONDS)[1]:
            with suppress(psutil.Error):
                child.kill()
        return f"it had left child processes ({', '.join(sorted(set(names)))}), which were ended" if names else None

    return put_back


def _threads() -> PutBack:
    known = set(threading.enumerate())

    def put_back() -> str | None:
        until = time.monotonic() + THREAD_SECONDS
        left = [thread for thread in threading.enumerate() if thread not in known and not thread.daemon]
        for thread in left:
            thread.join(max(0.0, until - time.monotonic()))
        names = sorted(thread.name for thread in left if thread.is_alive())
        return f"it had left threads ({', '.join(names)})" if names else None

    return put_back


def _environment() -> PutBack:
    saved = dict(os.environ)

    def put_back() -> None:
        zone = os.environ.get("TZ")
        for name in os.environ.keys() - saved.keys():
            del os.environ[name]
        os.environ.update({name: value for name, value in saved.items() if os.environ.get(name) != value})
        if zone != saved.get("TZ"):
            time.tzset()

    return put_back


def _folder() -> PutBack:
    saved, mask = os.getcwd(), os.umask(0o077)
    os.umask(mask)

    def put_back() -> str | None:
        os.umask(mask)
        try:
            os.chdir(saved)
        except OSError as error:
            return f"the folder where it began is away: {error.strerror}"
        return None

    return put_back


def _interpreter() -> PutBack:
    hooks = [(sys, "excepthook"), (sys, "unraisablehook"), (sys, "displayhook"), (threading, "excepthook")]
    attributes = [(owner, name, getattr(owner, name)) for owner, name in [*hooks, (tempfile, "tempdir")]]
    path, arguments, built_in = list(sys.path), list(sys.argv), dict(vars(builtins))
    depth, timeout, collects, thresholds = (
        sys.getrecursionlimit(),
        socket.getdefaulttimeout(),
        gc.isenabled(),
        gc.get_threshold(),
    )
    place, context = locale.setlocale(locale.LC_ALL), decimal.getcontext().copy()
    method = multiprocessing.get_start_method(allow_none=True)

    def put_back() -> None:
        sys.path[:], sys.argv[:] = path, arguments
        for owner, name, value in attributes:
            setattr(owner, name, value)
        vars(builtins).update(built_in)
        for name in vars(builtins).keys() - built_in.keys() - {"_"}:
            delattr(builtins, name)
        sys.settrace(None)
        sys.setprofile(None)
        sys.setrecursionlimit(depth)
        socket.setdefaulttimeout(timeout)
        (gc.enable if collects else gc.disable)()
        gc.set_threshold(*thresholds)
        locale.setlocale(locale.LC_ALL, place)
        decimal.setcontext(context.copy())
        if multiprocessing.get_start_method(allow_none=True) != method:
            multiprocessing.set_start_method(method, force=True)

    return put_back


def _signals() -> PutBack:
    saved = {number: signal.getsignal(number) for number in signal.valid_signals()}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())

    def put_back() -> None:
        signal.alarm(0)
        for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
            signal.setitimer(timer, 0)
        for number, handler in saved.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    return put_back


def _limits() -> PutBack:
    kinds = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]
    saved = {kind: resource.getrlimit(kind) for kind in kinds}
    nice, cpus = os.getpriority(os.PRIO_PROCESS, 0), os.sched_getaffinity(0)

    def put_back() -> str | None:
        os.sched_setaffinity(0, cpus)
        try:
            for kind, limits in saved.items():
                if resource.getrlimit(kind) != limits:
                    resource.setrlimit(kind, limits)
            if os.getpriority(os.PRIO_PROCESS, 0) != nice:
                os.setpriority(os.PRIO_PROCESS, 0, nice)
        except (OSError, ValueError):
            return "it had lowered its limits or its priority"
        return None

    return put_back


def _logging() -> PutBack:
    def state(logger: logging.Logger) -> tuple[Any, ...]:
        return list(logger.handlers), list(logger.filters), logger.level, logger.disabled, logger.propagate

    def loggers() -> dict[str, logging.Logger]:
        named = dict(logging.root.manager.loggerDict)
        return {"": logging.root} | {name: each for name, each in named.items() if isinstance(each, logging.Logger)}

    saved = {name: state(logger) for name, logger in loggers().items()}
    fresh: tuple[Any, ...] = ([], [], logging.NOTSET, False, True)
    disabled, factory, kind = logging.root.manager.disable, logging.getLogRecordFactory(), logging.getLoggerClass()

    def put_back() -> None:
        for name, logger in loggers().items():
            handlers, filters, level, off, propagates = saved.get(name, fresh)
            for handler in logger.handlers:
                if handler not in handlers:
                    with suppress(Exception):
                        handler.close()
            logger.handlers[:], logger.filters[:] = handlers, filters
            logger.disabled, logger.propagate = off, propagates
            logger.setLevel(level)
        logging.disable(disabled)
        logging.setLogRecordFactory(factory)
        logging.setLoggerClass(kind)
        logging.captureWarnings(False)

    return put_back


def _warnings() -> PutBack:
    filters, show = list(warnings.filters), warnings.showwarning

    def put_back() -> None:
        warnings.resetwarnings()  # It also makes each place warn again.
        warnings.filters[:] = filters  # type: ignore[index]
        warnings.showwarning = show

    return put_back


PARTS: tuple[Callable[[], PutBack], ...] = (
    library_state.trackers,  # First: they may still need what else is put back.
    _children,
    _threads,
    _environment,
    _folder,
    _interpreter,
    _signals,
    _limits,
    _logging,
    _warnings,
    library_state.random_numbers,
    library_state.torch_settings,
)
