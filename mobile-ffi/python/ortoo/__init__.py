"""The phone for scripts: registers that are kept offline and exchanged with the server.

>>> with ortoo.Phone.open(directory, secret) as phone:
...     woman = phone.add("person", {"identity.name": "其其格", "identity.sex": "2"})
...     phone.exchange()

A phone is a directory with a sealed store. :func:`enrol` makes it from the link of an administrator,
:class:`Phone` opens it.

Threads: every call may come from any thread, several at once. A call into the library lets other
Python threads run. Only :func:`enrol` and an exchange wait for the network.

Units: times are Unix seconds, sizes bytes, dates ``YYYY-MM-DD``, waits seconds.

Errors: everything raises :class:`OrtooError`; its subclasses say who has to act.
"""

from ._native import version
from .errors import (
    Cancelled,
    InternalError,
    NoConnection,
    OrtooError,
    StoreError,
    Wiped,
    WrongRequest,
)
from .models import (
    BundleReport,
    Checked,
    Code,
    CodeList,
    Column,
    Conflict,
    Enrolled,
    Event,
    ExchangeReport,
    Field,
    Figure,
    Indicator,
    Item,
    KeptEdit,
    Kind,
    Linked,
    OrgUnit,
    Outbox,
    Plan,
    PlannedTask,
    Problem,
    Progress,
    Record,
    Register,
    RelayBundle,
    Section,
    Status,
    SubjectOfPlan,
    Task,
    Title,
)
from .phone import Phone, outbox, wipe
from .secret import KeyStoreSecret
from .work import Exchange, enrol

__version__ = "0.1.0"

__all__ = [
    "BundleReport",
    "Cancelled",
    "Checked",
    "Code",
    "CodeList",
    "Column",
    "Conflict",
    "Enrolled",
    "Event",
    "Exchange",
    "ExchangeReport",
    "Field",
    "Figure",
    "Indicator",
    "InternalError",
    "Item",
    "KeptEdit",
    "KeyStoreSecret",
    "Kind",
    "Linked",
    "NoConnection",
    "OrgUnit",
    "OrtooError",
    "Outbox",
    "Phone",
    "Plan",
    "PlannedTask",
    "Problem",
    "Progress",
    "Record",
    "Register",
    "RelayBundle",
    "Section",
    "Status",
    "StoreError",
    "SubjectOfPlan",
    "Task",
    "Title",
    "Wiped",
    "WrongRequest",
    "enrol",
    "outbox",
    "version",
    "wipe",
]
