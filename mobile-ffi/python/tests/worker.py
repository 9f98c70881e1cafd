"""A phone in a process of its own, driven by JSON lines: ``[method, args, keywords]`` in,
``{"value": …}`` or ``{"error": kind, "codes": […]}`` out.

What it answers has returned from the library, so it is on the disk. It may be killed at any moment.
"""

import dataclasses
import json
import sys

import ortoo
from harness import KEY_STORE


class Worker:
    """The phone, its exchange under way, and what one call of the driver asks for at once."""

    def __init__(self, directory):
        self.phone = ortoo.Phone.open(directory, KEY_STORE)
        self.under_way = None

    def start_exchange(self):
        self.under_way = self.phone.start_exchange()

    def finish_exchange(self):
        return self.under_way.wait()

    def known(self):
        """The ids of all records held."""
        rows = [row for of in ("household", "person") for row in self.phone.list(of)]
        return sorted(id for row in rows for id in (row.id, *row.linked))

    def histories(self, ids):
        """``key``, ``value`` and ``device`` of everything written to records."""
        said = {id: self.phone.history(id) for id in ids}
        return {
            id: [[one.key, one.value, one.device] for one in events] for id, events in said.items()
        }

    def everything(self):
        """All that a phone shows."""
        subjects = ("person", "household", "organisation")
        return {
            "lists": {of: self.phone.list(of) for of in subjects},
            "shown": {id: self.phone.show(id) for id in self.known()},
            "histories": {id: self.phone.history(id) for id in self.known()},
            "conflicts": self.phone.conflicts(),
            "figures": self.phone.indicators("every"),
            "tasks": self.phone.tasks(365),
        }

    def call(self, method, args, keywords):
        return getattr(self if hasattr(self, method) else self.phone, method)(*args, **keywords)


def plain(value):
    """Dataclasses as JSON has them."""
    if dataclasses.is_dataclass(value):
        return dataclasses.asdict(value)
    raise TypeError(type(value).__name__)


def main():
    worker = Worker(sys.argv[1])
    print(json.dumps({"value": "open"}), flush=True)
    for line in sys.stdin:
        method, args, keywords = json.loads(line)
        try:
            answer = {"value": worker.call(method, args, keywords)}
        except ortoo.OrtooError as error:
            answer = {"error": type(error).__name__, "codes": error.codes}
        print(json.dumps(answer, default=plain), flush=True)


if __name__ == "__main__":
    main()
