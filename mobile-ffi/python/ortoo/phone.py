"""The phone: what a script calls."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Any, List, Mapping, Optional, Type, Union

from ._native import ffi, language_of, subject_of
from .errors import call
from .models import (
    BundleReport,
    Checked,
    Conflict,
    Event,
    ExchangeReport,
    Figure,
    KeptEdit,
    Linked,
    Outbox,
    Plan,
    Record,
    RelayBundle,
    Status,
    Task,
)
from .secret import Secret, to_native
from .values import Given, to_text, to_texts
from .work import Exchange, OnProgress

Directory = Union[str, "os.PathLike[str]"]


class Phone:
    """A phone: the registers of its org units in a sealed store.

    What a call reports as saved is on the disk. Every call may come from any thread, several at once;
    none waits for the network but :meth:`exchange` and :meth:`renew_keys`. One process should have a store open at a time;
    if another opens it, the calls of both go on, each after opening it anew.

    Fields are named ``section.field``, fields of an item ``section#item.field``. A wrong request
    raises :class:`WrongRequest` and changes nothing; a store that fails raises :class:`StoreError`.
    """

    def __init__(self, native: Any) -> None:
        """Not for scripts: :meth:`open` gives a phone."""
        self._native = native

    @classmethod
    def open(cls, directory: Directory, secret: Secret, language: str = "en") -> "Phone":
        """Opens the store that an enrolment made in ``directory``. Messages come in ``language``,
        ``"en"`` or ``"zh"``.

        Takes what the secret costs to try: half a second of a cheap phone and 64 MiB, or a tenth of
        that with a key store.

        Raises :class:`StoreError`, such as ``store_missing``, ``wrong_secret``, ``other_secret``,
        ``key_store_silent``, ``store_damaged``, ``store_too_new``.
        """
        where, opens, speaks = os.fspath(directory), to_native(secret), language_of(language)
        return cls(call(ffi.Phone.open, where, opens, speaks))

    def __enter__(self) -> "Phone":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.lock()

    # Looking

    def plan(self) -> Plan:
        """The plan as it reached this device. Some hundred kilobytes: ask once, and after an exchange
        when its version may have changed."""
        return Plan._of(call(self._native.plan))

    def list(
        self, subject: str, register: Optional[str] = None, search: Optional[str] = None
    ) -> List[Record]:
        """The records of a subject, a group of linked ones as one row without items: those that stand
        in ``register``, and where ``search`` stands somewhere in a field."""
        rows = call(self._native.list, subject_of(subject), register, search)
        return [Record._of(row) for row in rows]

    def show(self, id: str) -> Record:
        """Everything that one record shows."""
        return Record._of(call(self._native.show, id))

    def history(self, id: str) -> List[Event]:
        """Every value ever written to a record, oldest first."""
        return [Event._of(event) for event in call(self._native.history, id)]

    def conflicts(self) -> List[Conflict]:
        """Everything that somebody must settle."""
        return [Conflict._of(conflict) for conflict in call(self._native.conflicts)]

    def tasks(self, days: int = 0) -> List[Task]:
        """What is due today, or within so many days from now; the most urgent first."""
        return [Task._of(task) for task in call(self._native.tasks, days)]

    def indicators(self, years: Union[int, str] = "this") -> List[Figure]:
        """The plan's figures of every unit held, of one year, ``"this"`` year or ``"every"`` year of
        the plan: the year that a figure's period ends in."""
        if years == "this":
            asked = ffi.Years.THIS()
        elif years == "every":
            asked = ffi.Years.EVERY()
        elif isinstance(years, int):
            asked = ffi.Years.ONE(years)
        else:
            raise ValueError('years is a year, "this" or "every"')
        return [Figure._of(figure) for figure in call(self._native.indicators, asked)]

    def status(self) -> Status:
        """Where the phone stands."""
        return Status._of(call(self._native.status))

    def diagnostics(self) -> str:
        """``name: value`` lines for whoever helps: versions, sizes, counts; no personal data."""
        return call(self._native.diagnostics)

    # Writing

    def add(
        self, subject: str, values: Mapping[str, Given], unit: Optional[str] = None
    ) -> str:
        """Registers a person or household; gives the new record's id. Fields of a repeating section
        make its first item. ``unit`` may be left out where the device holds one."""
        return call(self._native.add, subject_of(subject), unit, to_texts(values))

    def edit(self, id: str, values: Mapping[str, Given]) -> int:
        """Writes values to a record; gives the number of changes, 0 if everything stood there."""
        return call(self._native.edit, id, to_texts(values))

    def add_item(self, id: str, section: str, values: Mapping[str, Given]) -> str:
        """Adds an item to a repeating section, or writes to the one that its natural key names; gives
        the item's id. Fields are named without their section."""
        return call(self._native.add_item, id, section, to_texts(values))

    def void_item(self, id: str, section: str, item: str) -> None:
        """Withdraws an item. Nothing of it is deleted; writing ``False`` to ``section#item.void``
        brings it back."""
        call(self._native.void_item, id, section, item)

    def resolve(
        self, id: str, key: str, *, take: Optional[int] = None, write: Given = None
    ) -> None:
        """Settles a key of a record for all who have seen no more than this phone has: takes one of
        the values listed, counted from 0, or writes another one (``""`` for none)."""
        if (take is None) == (write is None):
            raise TypeError("give either take or write")
        choice = ffi.Choice.WRITE(to_text(write)) if take is None else ffi.Choice.TAKE(take)
        call(self._native.resolve, id, key, choice)

    # Looking before writing

    def check_new(
        self, subject: str, values: Mapping[str, Given] = {}, unit: Optional[str] = None
    ) -> Checked:
        """What :meth:`add` would say, and which fields to ask; with no values, of a fresh form.
        Nothing is written."""
        return self._check(ffi.Draft.NEW(subject_of(subject), unit), values)

    def check_edit(self, id: str, values: Mapping[str, Given] = {}) -> Checked:
        """What :meth:`edit` would say, and which fields to ask. Nothing is written."""
        return self._check(ffi.Draft.EDIT(id), values)

    def check_item(self, id: str, section: str, values: Mapping[str, Given] = {}) -> Checked:
        """What :meth:`add_item` would say, and which fields to ask. Nothing is written."""
        return self._check(ffi.Draft.NEW_ITEM(id, section), values)

    def _check(self, draft: Any, values: Mapping[str, Given]) -> Checked:
        return Checked._of(call(self._native.check, draft, to_texts(values)))

    # Two records of one person

    def link(self, id: str, other: str) -> Linked:
        """Says that two records of persons are one person. If they are shown as one already and name
        or birth date differ, this confirms them in spite of that.

        Raises :class:`WrongRequest` with ``not_a_person``, ``same_record``, ``other_unit``,
        ``unknown_record``.
        """
        return Linked._of(call(self._native.link, id, other))

    def unlink(self, id: str, other: str) -> Linked:
        """Says that two records of persons are two people, whatever their ID numbers say. Nothing of
        either is lost; the last deliberate word counts."""
        return Linked._of(call(self._native.unlink, id, other))

    # What was written on records that the office has erased

    def kept(self) -> List[KeptEdit]:
        """What was written here on records that the office has erased meanwhile, and waits for its
        author's decision. :attr:`Status.kept` counts it."""
        return [KeptEdit._of(kept) for kept in call(self._native.kept)]

    def register_kept(self, record: str) -> str:
        """Registers what is kept of an erased record as a record of its own; gives the new record's id.
        Only what was kept stands in it.

        Raises :class:`WrongRequest` with ``nothing_kept``, or as :meth:`add` does.
        """
        return call(self._native.register_kept, record)

    def drop_kept(self, record: str) -> None:
        """Drops what is kept of an erased record, for good.

        Raises :class:`WrongRequest` with ``nothing_kept``.
        """
        call(self._native.drop_kept, record)

    # Bundles: what somebody carries

    def export_bundle(
        self, bytes_max: Optional[int] = None, short: bool = False, everything: bool = False
    ) -> RelayBundle:
        """Makes a bundle of what the server lacks, for whoever travels: only the server and the devices
        of the same spaces can read it. What is in it counts as unsent until the server's
        acknowledgement comes, by whatever way.

        It gets no larger than ``bytes_max``; ``left`` says what did not fit. ``short`` is for a
        channel that counts every byte, such as a satellite's short message of 1,750 bytes, which it
        fits if ``bytes_max`` says no other size. ``everything`` is all that is held and not only
        what the server lacks, for a phone that has seen neither.

        Raises :class:`WrongRequest` with ``bundle_too_small`` if nothing fits, ``bundle_no_key``
        while no key of the server is known.
        """
        wish = ffi.BundleWish(bytes_max=bytes_max, short=short, everything=everything)
        return RelayBundle._of(call(self._native.export_bundle, wish))

    def import_bundle(self, bundle: bytes) -> BundleReport:
        """Takes a bundle, whoever made and carried it; the same one may come any number of times.

        Raises :class:`WrongRequest`, and nothing has changed: ``bundle_not_for_us`` where all of it
        is for others, ``bundle_shape``, ``bundle_version``, ``bundle_too_large``,
        ``bundle_altered``.
        """
        return BundleReport._of(call(self._native.import_bundle, bundle))

    # The server

    def exchange(self, progress: Optional[OnProgress] = None) -> ExchangeReport:
        """Exchanges with the server until both hold the same. ``progress`` hears of every round, on
        another thread; what it raises is raised here after the end.

        Blocks; other threads use the phone meanwhile. Ctrl-C cancels, and goes up once the exchange
        has ended; what was exchanged stays exchanged.

        Raises :class:`NoConnection`: nothing is lost, try again at any time; ``exchange_running``
        (:class:`WrongRequest`) while another one is; :class:`Wiped` if the office had ordered this
        phone wiped.
        """
        return self.start_exchange(progress).finish()

    def start_exchange(self, progress: Optional[OnProgress] = None) -> Exchange:
        """Starts an exchange and gives its handle. Every other call goes on meanwhile.

        Raises ``exchange_running`` (:class:`WrongRequest`) while another one is; everything else
        comes from the handle.
        """

        def start(listener: Any) -> Any:
            return self._native.start_exchange(listener)

        return Exchange(start, progress)

    def renew_keys(self, progress: Optional[OnProgress] = None) -> ExchangeReport:
        """Exchanges with new keys for this phone, as another device (``renewed``): for whoever fears
        that somebody has a copy of the old ones. Nothing that is held or unsent is lost. Where the
        server itself notices such a copy, :meth:`exchange` does the same.

        Blocks as :meth:`exchange` does. Whoever cancels it, or has no connection, has new keys that
        wait: every later exchange asks for them again.

        Raises ``renewal_waits`` (:class:`WrongRequest`) while the server does not let the new keys in;
        else as :meth:`exchange`.
        """
        return self.start_renewal(progress).finish()

    def start_renewal(self, progress: Optional[OnProgress] = None) -> Exchange:
        """Starts an exchange with new keys and gives its handle, as :meth:`start_exchange` does."""

        def start(listener: Any) -> Any:
            return self._native.start_renewal(listener)

        return Exchange(start, progress)

    def set_server(self, url: str) -> None:
        """Remembers another address of the server, ``https://host[:port]``. Nothing is trusted by it:
        the server must show a key that the network lists."""
        call(self._native.set_server, url)

    # The store

    def change_secret(self, secret: Secret) -> None:
        """Has the store opened with another secret from now on; the old one opens nothing any more."""
        call(self._native.change_secret, to_native(secret))

    def lock(self) -> None:
        """Locks the phone: secret, keys and records leave memory at once, and every later call raises
        ``phone_locked`` (:class:`StoreError`). An exchange under way is cancelled."""
        call(self._native.lock)

    def wipe(self, lose_unsent: bool = False) -> None:
        """Erases the store for good.

        Raises ``unsent_changes`` (:class:`WrongRequest`) while not everything is known to be on the
        server, unless ``lose_unsent``.
        """
        call(self._native.wipe, lose_unsent)


def wipe(directory: Directory, language: str = "en") -> None:
    """Erases the store in ``directory`` for good, also one that nobody can open any more. Nobody is
    asked whether something in it was never sent. No error where there is none."""
    call(ffi.wipe, os.fspath(directory), language_of(language))


def outbox(directory: Directory, language: str = "en") -> Optional[Outbox]:
    """What the store in ``directory`` holds that the server does not have, as a bundle for the server
    alone: without the secret, for a phone whose secret is lost or whose user is gone. ``None`` if
    there is nothing."""
    made = call(ffi.outbox, os.fspath(directory), language_of(language))
    return None if made is None else Outbox._of(made)
