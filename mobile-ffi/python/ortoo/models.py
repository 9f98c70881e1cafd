"""What a phone gives: plain values in frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from ._native import ffi
from .values import Value, from_native, from_natives

# Every class has a `_of` that takes what the library gave.


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Keys and messages may name a person's values: show them, never log them. Codes name nobody.
    """

    code: str
    """Stable, and the same as the command line's, such as ``future_date``."""
    key: str
    """The key of the value that it is about, or what else was named; empty if nothing was."""
    message: str
    """A sentence in the phone's language: what happened, and what to do."""

    @classmethod
    def _of(cls, native: Any) -> "Problem":
        return cls(native.code, native.key, native.message)


def _problems(natives: Any) -> List[Problem]:
    return [Problem._of(native) for native in natives]


# Records


@dataclass(frozen=True)
class Item:
    """One item of a repeating section."""

    item: str
    """The item's id."""
    fields: Dict[str, Value]
    """Its fields, without the section; empty ones are left out."""

    @classmethod
    def _of(cls, native: Any) -> "Item":
        return cls(native.item, from_natives(native.fields))


@dataclass(frozen=True)
class Conflict:
    """Values written apart under one key."""

    record: str
    """The record to settle it at."""
    key: str
    """Where."""
    values: List[Value]
    """The different values; the first is the one that shows. ``resolve(take=…)`` counts from 0."""

    @classmethod
    def _of(cls, native: Any) -> "Conflict":
        return cls(native.record, native.key, [from_native(value) for value in native.values])


@dataclass(frozen=True)
class Record:
    """A record, or a group of linked records as one."""

    id: str
    """The record's id; of a group the smallest."""
    unit: str
    """The code of the org unit that holds it."""
    linked: List[str]
    """The other records of the same person or household."""
    fields: Dict[str, Value]
    """``section.field`` of single sections, empty ones left out."""
    items: Dict[str, List[Item]]
    """The items of repeating sections by section, in order of their date, withdrawn ones left out;
    empty in a row of a list."""
    conflicts: List[Conflict]
    """Keys in conflict."""
    problems: List[Problem]
    """What is wrong with the values or missing among them."""

    @classmethod
    def _of(cls, native: Any) -> "Record":
        items = {
            section: [Item._of(item) for item in native.items[section]]
            for section in sorted(native.items)
        }
        return cls(
            native.id,
            native.unit,
            list(native.linked),
            from_natives(native.fields),
            items,
            [Conflict._of(conflict) for conflict in native.conflicts],
            _problems(native.problems),
        )


@dataclass(frozen=True)
class Checked:
    """A draft that was looked at."""

    refused: List[Problem]
    """What keeps it from being saved; empty if nothing does. Saving would say the same."""
    left: List[Problem]
    """What would be wrong or missing in the record once it is saved; keeps nothing from it."""
    asked: List[str]
    """The keys of the fields to ask, in the order of the form: whether a field is asked may depend
    on what others hold."""

    @classmethod
    def _of(cls, native: Any) -> "Checked":
        return cls(_problems(native.refused), _problems(native.left), list(native.asked))


@dataclass(frozen=True)
class Event:
    """One value written at some time."""

    key: str
    """Where."""
    value: Value
    """What; one yes or no per code for a multi-choice."""
    device: Optional[str]
    """The device that wrote it, if it is known."""
    author: Optional[str]
    """The person who wrote it, if it is known."""
    time: int
    """When, by that device's clock, Unix seconds; to show, not to compare."""

    @classmethod
    def _of(cls, native: Any) -> "Event":
        value = from_native(native.value)
        return cls(native.key, value, native.device, native.author, native.time)


@dataclass(frozen=True)
class Linked:
    """Where a record stands once something was said of it."""

    id: str
    """The record that was named first."""
    linked: List[str]
    """The other records of its person."""
    conflicts: List[Conflict]
    """What is open about who they are; nothing of one record is shown as the other's until it is
    settled."""

    @classmethod
    def _of(cls, native: Any) -> "Linked":
        open = [Conflict._of(conflict) for conflict in native.conflicts]
        return cls(native.id, list(native.linked), open)


@dataclass(frozen=True)
class KeptEdit:
    """What was written here on a record before this device heard that the office had it erased, and the
    office never saw. It is applied nowhere until its author decides."""

    record: str
    """The erased record's id."""
    unit: str
    """The code of the org unit that held it."""
    values: Dict[str, Value]
    """What was written, the last value of each key: ``section.field`` or ``section#item.field``, of a
    multi-choice one yes or no per code."""

    @classmethod
    def _of(cls, native: Any) -> "KeptEdit":
        return cls(native.record, native.unit, from_natives(native.values))


# Bundles


@dataclass(frozen=True)
class RelayBundle:
    """A bundle to give to whoever travels."""

    bytes: bytes
    """The file."""
    batches: int
    """Batches in it."""
    left: int
    """Batches that did not fit: make another bundle for them once this one has arrived."""

    @classmethod
    def _of(cls, native: Any) -> "RelayBundle":
        return cls(native.bytes, native.batches, native.left)


@dataclass(frozen=True)
class BundleReport:
    """What a bundle brought."""

    batches: int
    """Batches that were new here."""
    acknowledged: int
    """Spaces of which the server has acknowledged more than was known here."""
    waiting: int
    """Batches that wait here for others that have not come yet."""
    for_others: int
    """Parts that are for others: the file is still worth carrying on."""
    refused: List[str]
    """Codes of what is not held here, and why; the administrator must know."""
    stash_full: bool
    """More waits than fits; this bundle has to come again."""

    @classmethod
    def _of(cls, native: Any) -> "BundleReport":
        return cls(
            native.batches,
            native.acknowledged,
            native.waiting,
            native.for_others,
            list(native.refused),
            native.stash_full,
        )


@dataclass(frozen=True)
class Outbox:
    """What a store holds that the server does not have."""

    bytes: bytes
    """A bundle for the server alone."""
    parts: int
    """The saves and batches in it."""

    @classmethod
    def _of(cls, native: Any) -> "Outbox":
        return cls(native.bytes, native.parts)


# The plan at work


@dataclass(frozen=True)
class Title:
    """A text of the plan, in both languages."""

    zh: str
    """Chinese."""
    en: str
    """English."""

    @classmethod
    def _of(cls, native: Any) -> "Title":
        return cls(native.zh, native.en)


@dataclass(frozen=True)
class Task:
    """Something to do."""

    record: str
    """The record that it is for."""
    label: str
    """What a list calls it."""
    unit: str
    """The unit's code."""
    register: str
    """The register's key."""
    task: str
    """The task's key."""
    title: Title
    """What people call the task."""
    adds: str
    """The section to which doing it adds an item."""
    due: str
    """The day from which on it is due, ``YYYY-MM-DD``."""
    overdue: bool
    """Whether that day is before today."""

    @classmethod
    def _of(cls, native: Any) -> "Task":
        return cls(
            native.record,
            native.label,
            native.unit,
            native.register,
            native.task,
            Title._of(native.title),
            native.adds,
            native.due,
            native.overdue,
        )


@dataclass(frozen=True)
class Figure:
    """An indicator's figure of a unit in a year."""

    indicator: str
    """The indicator's key; :class:`Indicator` says what it is."""
    unit: str
    """The unit's code."""
    year: int
    """The year."""
    numerator: Optional[int]
    """Who has reached it; ``None`` if this device can't count it."""
    denominator: Optional[int]
    """Of whom it is known; ``None`` for a plain number too."""
    unknown: Optional[int]
    """Of whom it is not known: part of neither."""
    value: Optional[float]
    """The figure in its measure, rounded to show; ``None`` where nobody is counted."""
    missing: List[str]
    """The classes of data that this device lacks for it, which leaves everything else ``None``."""

    @classmethod
    def _of(cls, native: Any) -> "Figure":
        return cls(
            native.indicator,
            native.unit,
            native.year,
            native.numerator,
            native.denominator,
            native.unknown,
            native.value,
            list(native.missing),
        )


# The device and the server


@dataclass(frozen=True)
class Status:
    """Where a phone stands."""

    unsent: int
    """Saved changes that the server is not known to hold."""
    waiting: int
    """What came in and waits for something that has not come yet."""
    last_exchange: Optional[int]
    """When an exchange last came through, Unix seconds by this device's clock."""
    device: str
    """This device's id, as the administrator sees it. New keys make another one of it."""
    spaces: List[str]
    """The spaces held, as ``CODE.class``."""
    server: str
    """The server's address."""
    clock_ahead: int
    """How many seconds this device's clock is ahead of the server's, as last seen."""
    clock_is_off: bool
    """Whether that is so much that the user must set the clock."""
    unreadable_rows: int
    """Rows of the store that did not read when it was opened; an exchange fetches them again."""
    kept: int
    """Erased records of which something that was written here waits for its author's decision:
    :meth:`Phone.kept`."""

    @classmethod
    def _of(cls, native: Any) -> "Status":
        return cls(
            native.unsent,
            native.waiting,
            native.last_exchange,
            native.device,
            list(native.spaces),
            native.server,
            native.clock_ahead,
            native.clock_is_off,
            native.unreadable_rows,
            native.kept,
        )


@dataclass(frozen=True)
class Enrolled:
    """How an enrolment ended."""

    device: str
    """This device's id."""
    spaces: List[str]
    """The spaces that it may hold, as ``CODE.class``; empty while pending."""
    pending_digits: Optional[str]
    """The six digits that the administrator compares before letting this device in; ``None`` if it is
    in. The phone opens in both cases and an exchange asks again."""

    @classmethod
    def _of(cls, native: Any) -> "Enrolled":
        return cls(native.device, list(native.spaces), native.pending_digits)


@dataclass(frozen=True)
class ExchangeReport:
    """What an exchange moved."""

    batches_up: int
    """Batches sent."""
    batches_down: int
    """Batches that were new here."""
    bytes_up: int
    """Bytes of message bodies sent."""
    bytes_down: int
    """Bytes of message bodies received."""
    round_trips: int
    """Rounds that were answered."""
    refused: List[str]
    """Codes of batches that the server would not hold, or that were not held here. They stay on this
    device; the administrator must know."""
    stash_full: bool
    """More came in than could be put in order; it comes again with the next exchange."""
    renewed: Optional[str]
    """The id of the device that this phone has become, if it goes on with new keys: because the server
    had noticed another phone that writes with the same ones, or because somebody asked."""

    @classmethod
    def _of(cls, native: Any) -> "ExchangeReport":
        return cls(
            native.batches_up,
            native.batches_down,
            native.bytes_up,
            native.bytes_down,
            native.round_trips,
            list(native.refused),
            native.stash_full,
            native.renewed,
        )


@dataclass(frozen=True)
class Progress:
    """How far an exchange has come."""

    moved: ExchangeReport
    """What it has moved so far."""
    unsent: int
    """Saved changes that the server is not known to hold yet."""

    @classmethod
    def _of(cls, native: Any) -> "Progress":
        return cls(ExchangeReport._of(native.moved), native.unsent)


# The plan


@dataclass(frozen=True)
class Kind:
    """What a value is. Only what belongs to its name is set."""

    name: str
    """``text``, ``date``, ``integer``, ``bool``, ``choice``, ``choices``, ``reference`` (the id of a
    record) or ``point`` (``latitude,longitude`` in degrees, with at most one decimal)."""
    max_chars: Optional[int] = None
    """Of a text: most characters."""
    or_month: bool = False
    """Of a date: ``YYYY-MM`` is allowed too."""
    or_future: bool = False
    """Of a date: may lie in the future."""
    min: Optional[int] = None
    """Of a number: smallest."""
    max: Optional[int] = None
    """Of a number: largest."""
    code_list: Optional[str] = None
    """Of a choice: the list's key."""
    subject: Optional[str] = None
    """Of a reference: the key of the subject that it must be of."""

    @classmethod
    def _of(cls, native: Any) -> "Kind":
        given = vars(native)
        return cls(_KINDS[type(native)], **given)


_KINDS = {
    ffi.FieldKind.WORDS: "text",
    ffi.FieldKind.DAY: "date",
    ffi.FieldKind.WHOLE: "integer",
    ffi.FieldKind.YES_NO: "bool",
    ffi.FieldKind.CHOICE: "choice",
    ffi.FieldKind.CHOICES: "choices",
    ffi.FieldKind.REFERENCE: "reference",
    ffi.FieldKind.POSITION: "point",
}


@dataclass(frozen=True)
class Field:
    """One thing that is asked."""

    key: str
    """The key inside its section."""
    title: Title
    """What the form asks."""
    hint: Optional[Title]
    """A word for whoever fills it in."""
    kind: Kind
    """What the value is."""
    required: bool
    """Whether a record is incomplete without it. An incomplete record is saved all the same."""
    conditional: bool
    """Whether it is asked only where other values say so: ``check_…`` tells by its ``asked``."""

    @classmethod
    def _of(cls, native: Any) -> "Field":
        hint = None if native.hint is None else Title._of(native.hint)
        kind = Kind._of(native.kind)
        title = Title._of(native.title)
        return cls(native.key, title, hint, kind, native.required, native.conditional)


@dataclass(frozen=True)
class Section:
    """A named group of fields."""

    key: str
    """The key, the first part of its fields' keys."""
    title: Title
    """What people call it."""
    class_key: str
    """How widely it may be held: ``general``, ``care``, ``referral``, ``health``, ``protected``."""
    repeats: bool
    """Whether it holds items and not one set of current values."""
    named_by: Tuple[str, ...]
    """The fields that name an item: writing the same names again edits the same item. Empty where an
    item has no name."""
    by_date: Optional[str]
    """The field whose date orders the items."""
    fields: List[Field]
    """The fields, in the order of the form."""

    @classmethod
    def _of(cls, native: Any) -> "Section":
        repeats = native.repeats
        return cls(
            native.key,
            Title._of(native.title),
            native.class_key,
            not isinstance(repeats, ffi.Repeats.NO),
            tuple(getattr(repeats, "by", ())),
            getattr(repeats, "by_date", None),
            [Field._of(field) for field in native.fields],
        )


@dataclass(frozen=True)
class SubjectOfPlan:
    """What records are about: ``person``, ``household``, ``organisation``."""

    key: str
    """The key."""
    title: Title
    """What people call it."""
    label: str
    """``section.field`` of the value that names a record of it in a list."""
    sections: List[Section]
    """The sections, in the order of the form."""

    @classmethod
    def _of(cls, native: Any) -> "SubjectOfPlan":
        sections = [Section._of(section) for section in native.sections]
        return cls(native.key, Title._of(native.title), native.label, sections)


@dataclass(frozen=True)
class Code:
    """A code of a list."""

    code: str
    """What is stored."""
    title: Title
    """What is shown."""
    retired: bool
    """Not to be offered any more; values that have it stay good."""
    alone: bool
    """Excludes every other code of a multi-choice."""

    @classmethod
    def _of(cls, native: Any) -> "Code":
        return cls(native.code, Title._of(native.title), native.retired, native.alone)


@dataclass(frozen=True)
class CodeList:
    """A code list. Codes are stored, titles are shown."""

    key: str
    """The key, such as ``CL-SEX``."""
    title: Title
    """What people call it."""
    open: bool
    """Whether codes that are not listed may be typed."""
    codes: List[Code]
    """The codes, in the order of the form."""

    @classmethod
    def _of(cls, native: Any) -> "CodeList":
        codes = [Code._of(code) for code in native.codes]
        return cls(native.key, Title._of(native.title), native.open, codes)


@dataclass(frozen=True)
class Column:
    """A column of a register."""

    key: str
    """``section.field``, or the name of a status that is worked out and no field of a record."""
    title: Title
    """What people call it."""

    @classmethod
    def _of(cls, native: Any) -> "Column":
        return cls(native.key, Title._of(native.title))


@dataclass(frozen=True)
class PlannedTask:
    """Something that has to be done for a row of a register."""

    key: str
    """The key."""
    title: Title
    """What people call it."""
    adds: str
    """The section to which doing it adds an item."""

    @classmethod
    def _of(cls, native: Any) -> "PlannedTask":
        return cls(native.key, Title._of(native.title), native.adds)


@dataclass(frozen=True)
class Register:
    """A register: which records it shows and what is filled in for it."""

    key: str
    """The key."""
    title: Title
    """What people call it."""
    subject: str
    """The key of the subject whose records it shows."""
    fill: List[str]
    """The sections that are filled in for it, in order."""
    columns: List[Column]
    """The columns of the list."""
    tasks: List[PlannedTask]
    """What there is to do for its rows."""

    @classmethod
    def _of(cls, native: Any) -> "Register":
        return cls(
            native.key,
            Title._of(native.title),
            native.subject,
            list(native.fill),
            [Column._of(column) for column in native.columns],
            [PlannedTask._of(task) for task in native.tasks],
        )


@dataclass(frozen=True)
class Indicator:
    """A target of the plan."""

    key: str
    """The key, such as ``health.cervical-screening-rate``."""
    title: Title
    """What people call it."""
    quote: str
    """The plan's sentence, word for word."""
    measure: str
    """What a figure of it is measured in: ``percent``, ``per_1000``, ``per_100k``, ``ratio`` or
    ``count``."""
    target: Optional[float]
    """The amount that the plan wants, rounded to show; ``None`` where it names none."""
    target_year: int
    """By when."""

    @classmethod
    def _of(cls, native: Any) -> "Indicator":
        return cls(
            native.key,
            Title._of(native.title),
            native.quote,
            _MEASURES[native.measure],
            native.target,
            native.target_year,
        )


_MEASURES = {
    ffi.Measure.PERCENT: "percent",
    ffi.Measure.PER1000: "per_1000",
    ffi.Measure.PER100K: "per_100k",
    ffi.Measure.RATIO: "ratio",
    ffi.Measure.COUNT: "count",
}


@dataclass(frozen=True)
class OrgUnit:
    """An org unit."""

    code: str
    """2, 4, 6, 9 or 12 digits."""
    name: str
    """Its name."""
    level: str
    """``region``, ``league``, ``banner``, ``sumu``, ``gacha`` or ``community``."""
    keeps_registers: bool
    """Whether somebody keeps registers there."""

    @classmethod
    def _of(cls, native: Any) -> "OrgUnit":
        return cls(native.code, native.name, native.level.name.lower(), native.keeps_registers)


@dataclass(frozen=True)
class Plan:
    """The plan as it reached a device: enough to draw forms and lists."""

    version: int
    """Goes up with every change; an exchange may bring a newer one."""
    subjects: List[SubjectOfPlan]
    """What records are about."""
    code_lists: List[CodeList]
    """The code lists of choices."""
    registers: List[Register]
    """The registers."""
    indicators: List[Indicator]
    """The indicators, in the order of the plan."""
    units: List[OrgUnit]
    """The org units, by code."""
    first_year: int
    """The plan's first year."""
    last_year: int
    """The plan's last year."""

    @classmethod
    def _of(cls, native: Any) -> "Plan":
        return cls(
            native.version,
            [SubjectOfPlan._of(subject) for subject in native.subjects],
            [CodeList._of(codes) for codes in native.code_lists],
            [Register._of(register) for register in native.registers],
            [Indicator._of(indicator) for indicator in native.indicators],
            [OrgUnit._of(unit) for unit in native.units],
            native.first_year,
            native.last_year,
        )
