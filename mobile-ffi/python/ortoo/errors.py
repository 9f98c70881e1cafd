"""What can go wrong, by who has to act, and the one place that maps the library's errors."""

from __future__ import annotations

from typing import Any, Callable, Dict, Sequence, Tuple, Type, TypeVar

from ._native import ffi
from .models import Problem

_T = TypeVar("_T")


class OrtooError(Exception):
    """Why something was not done.

    ``str()`` of it holds stable codes and nothing else, so that it may stand in a log; the keys and
    the messages of :attr:`problems` may name a person's values and may not.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems: Tuple[Problem, ...] = tuple(problems)
        """Everything that is wrong; never empty. The first is the one to show where there is room
        for one."""
        super().__init__(", ".join(self.codes))

    @property
    def codes(self) -> Tuple[str, ...]:
        """The stable codes, in the order of :attr:`problems`."""
        return tuple(problem.code for problem in self.problems)

    def __reduce__(self) -> Any:
        # Without this an exception that crosses to another process would come back from its text.
        return type(self), (self.problems,)


class WrongRequest(OrtooError):
    """The request is wrong and nothing has changed: whoever asked can mend it."""


class NoConnection(OrtooError):
    """The server was not reached, or not far enough. Nothing is lost; try again at any time."""


class Cancelled(OrtooError):
    """Somebody cancelled. Nothing is lost; what was exchanged stays exchanged."""


class StoreError(OrtooError):
    """The store can't be opened, read or written."""


class Wiped(OrtooError):
    """The office had ordered this phone wiped, and an exchange did so: all that the server lacked was
    handed over, then the store was erased. Every later call on the phone says so too; whoever goes on
    working enrols anew."""


class InternalError(OrtooError):
    """A mistake in the library. Everything that was reported as saved is there."""


_KINDS: Dict[type, Type[OrtooError]] = {
    ffi.PhoneError.Wrong: WrongRequest,
    ffi.PhoneError.NoConnection: NoConnection,
    ffi.PhoneError.Cancelled: Cancelled,
    ffi.PhoneError.Store: StoreError,
    ffi.PhoneError.Wiped: Wiped,
    ffi.PhoneError.Internal: InternalError,
}


def call(function: Callable[..., _T], *args: Any) -> _T:
    """Calls into the library; what it raises comes out as :class:`OrtooError`."""
    try:
        return function(*args)
    except ffi.PhoneError as error:
        kind = _KINDS[type(error)]
        raised = kind([Problem._of(problem) for problem in error.problems])
    except ffi.InternalError as error:
        # A panic that got through the library, or generated code that does not fit it.
        raised = InternalError([Problem("internal", "", str(error))])
    # Raised out here, so that no traceback drags in the text of the first error: it holds values.
    try:
        raise raised
    finally:
        # Else this frame and the error would hold each other, and the arguments with them.
        del raised, args
