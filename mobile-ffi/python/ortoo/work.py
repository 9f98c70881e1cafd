"""Work that talks to the server: it runs on a thread of the library, and Python waits for it in a way
that Ctrl-C reaches."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from typing import Any, Callable, Generic, Optional, Set, TypeVar

from ._native import ffi, language_of
from .errors import call
from .models import Enrolled, ExchangeReport, Progress
from .secret import Secret, to_native

_T = TypeVar("_T")
OnProgress = Callable[[Progress], None]


class _Heard:
    """What was heard of a work; outlives the listener."""

    def __init__(self) -> None:
        self.failure: Optional[BaseException] = None
        self.has_ended = threading.Event()
        self.is_let_go = threading.Event()


class _Listener(ffi.Listener):
    """Hears of the work on its thread. Only the library holds it, until that thread needs Python no
    more."""

    def __init__(self, heard: _Heard, progress: Optional[OnProgress]) -> None:
        self._heard = heard
        self._progress = progress

    def __del__(self) -> None:
        self._heard.is_let_go.set()
        _started.discard(self._heard)

    def progress(self, progress: Any) -> None:
        if self._progress is None or self._heard.failure is not None:
            return
        try:
            self._progress(Progress._of(progress))
        except BaseException as error:
            # Nobody hears it on this thread; whoever waits for the end does.
            self._heard.failure = error

    def ended(self) -> None:
        self._heard.has_ended.set()


class _Work(Generic[_T]):
    """Work under way. Dropping the handle cancels it."""

    def __init__(self, start: Callable[[Any], Any], progress: Optional[OnProgress]) -> None:
        self._heard = _Heard()
        self._native = call(start, _Listener(self._heard, progress))
        _handles.add(self)
        _started.add(self._heard)
        if self._heard.is_let_go.is_set():
            # It ended before it was remembered.
            _started.discard(self._heard)

    def cancel(self) -> None:
        """Stops it: at once where it waits for the server, else before its next step."""
        call(self._native.cancel)

    @property
    def is_running(self) -> bool:
        """Whether it is still under way."""
        return call(self._native.is_running)

    def _outcome(self, timeout: Optional[float]) -> Any:
        if not self._heard.has_ended.wait(timeout):
            raise TimeoutError("it is still under way")
        outcome = call(self._native.wait)
        if self._heard.failure is not None:
            raise self._heard.failure
        return outcome

    def _finished(self) -> Any:
        """Waits for the end; Ctrl-C cancels, waits for the real end and goes on up."""
        try:
            return self._outcome(None)
        except KeyboardInterrupt:
            self.cancel()
            self._heard.has_ended.wait()
            raise


_handles: "weakref.WeakSet[_Work[Any]]" = weakref.WeakSet()
_started: Set[_Heard] = set()
"""What may still call Python."""
_LET_GO_SECONDS_MAX = 1.0
"""The thread is a few instructions from its end then; longer only if somebody keeps a traceback that
leads to the listener."""


@atexit.register
def _end_all() -> None:
    """Work that a script left behind ends before the interpreter does: its thread calls Python."""
    for work in list(_handles):
        work.cancel()
    for heard in list(_started):
        heard.has_ended.wait()
        heard.is_let_go.wait(_LET_GO_SECONDS_MAX)


class Exchange(_Work[ExchangeReport]):
    """An exchange under way, with new keys or without. Dropping the handle cancels it, and so does
    leaving the phone's ``with``."""

    def wait(self, timeout: Optional[float] = None) -> ExchangeReport:
        """Waits for its end, and gives it again whenever asked.

        Raises :class:`TimeoutError` after so many seconds; the exchange goes on then. Raises
        :class:`Cancelled`, :class:`NoConnection`, :class:`WrongRequest`, :class:`Wiped` or
        :class:`StoreError` as it ended, and what ``progress`` raised, if it raised.
        """
        return ExchangeReport._of(self._outcome(timeout))

    def finish(self) -> ExchangeReport:
        """Waits for its end; Ctrl-C cancels it, and goes up once it has ended."""
        return ExchangeReport._of(self._finished())


def enrol(
    directory: "os.PathLike[str] | str",
    secret: Secret,
    link: str,
    language: str = "en",
) -> Enrolled:
    """Redeems an enrolment link: makes the store in ``directory``, which is opened by ``secret`` from
    then on. The same link again, after this was broken off or came through, is no error.

    Blocks while it talks to the server; Ctrl-C cancels it, and the link may be used again.

    Raises :class:`WrongRequest` for a bad link or secret, :class:`NoConnection`, :class:`StoreError`.
    """

    def start(listener: Any) -> Any:
        where, opens = os.fspath(directory), to_native(secret)
        return ffi.start_enrolment(where, opens, link, language_of(language), listener)

    return Enrolled._of(_Work[Any](start, None)._finished())
