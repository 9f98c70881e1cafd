"""Values as a script writes and reads them.

Typed in, every value is text to the library; what it shows has a kind.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Dict, List, Mapping, Sequence, Union

from ._native import ffi

Given = Union[str, int, bool, date, None, Sequence[str]]
"""What may be written: text, a whole number, yes or no, a date, the codes of a multi-choice, or
``None`` to empty the field. The text form of each is taken as well."""

Value = Union[str, int, bool, List[str], None]
"""What is shown. Dates, codes and references are text; ``None`` only in conflicts and histories,
where emptying a field is something that happened."""


def to_text(value: Given) -> str:
    """A value as it would be typed.

    Raises :class:`TypeError` for what no field holds, such as a fraction or a time of day.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (list, tuple)) and all(isinstance(code, str) for code in value):
        return ",".join(value)
    raise TypeError(f"no field holds a value of type {type(value).__name__}")


def to_texts(values: Mapping[str, Given]) -> Dict[str, str]:
    """The same of every value of a form."""
    return {key: to_text(value) for key, value in values.items()}


def from_native(value: Any) -> Value:
    """A shown value as a plain one."""
    if isinstance(value, ffi.Value.EMPTY):
        return None
    if isinstance(value, ffi.Value.CODES):
        return list(value.values)
    return value.value


def from_natives(values: Mapping[str, Any]) -> Dict[str, Value]:
    """The same of every field, in the order of the keys: the library's maps have none."""
    return {key: from_native(values[key]) for key in sorted(values)}
