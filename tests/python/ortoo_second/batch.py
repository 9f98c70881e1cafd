"""Batches: the stored form, what is signed, and form 1 of the batches in a message; form 2 stands in
`form2`."""

import hashlib
from dataclasses import dataclass

from . import cbor, change
from .cbor import Bad
from .change import Change, Put, Reader

CLASSES = ("general", "care", "referral", "health", "protected")


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


@dataclass
class Batch:
    unit: str
    kind: int
    device: bytes
    author: bytes
    seq: int
    prev: list
    dictionary: int
    time: int
    entries: list  # (record, change chunk)
    message: bytes
    signature: bytes
    stored: bytes

    @property
    def name(self):
        return sha256(self.message)

    @property
    def space_pair(self):
        return self.unit, self.kind

    @property
    def space(self):
        return f"{self.unit}.{CLASSES[self.kind]}"


def salt(seed, index):
    return sha256(b"ortoo salt v1\0", seed, index.to_bytes(4, "big"))[:16]


def message(network, header, entries):
    """What is signed; an entry is (record, change, salt), or (record, None, what is left of it)."""
    out = b"ortoo batch v1\0" + network + len(header).to_bytes(4, "big") + header
    for record, chunk, hidden in entries:
        if chunk is None:
            bound = hidden
        else:
            bound = sha256(b"ortoo entry v1 change\0", hidden, chunk)
        out += sha256(b"ortoo entry v1\0", record, bound)
    return out


def read(network, stored):
    header, signature, seed, entries = cbor.read(stored)[:4]
    fields = cbor.read(header)
    suite, unit, kind, device, author, seq, prev, dictionary, time = fields[:9]
    if suite != 1:
        raise Bad("another suite")
    if seed is not None:
        shown = [(record, chunk, salt(seed, i)) for i, (record, chunk) in enumerate(entries)]
    else:
        shown = [
            (record, chunk, rest[0] if chunk is not None else rest[1])
            for record, chunk, *rest in entries
        ]
    signed = message(network, header, shown)
    entries = [(record, chunk) for record, chunk, _ in shown if chunk is not None]
    return Batch(
        unit, kind, device, author, seq, prev, dictionary, time, entries, signed, signature, stored
    )


class Table:
    """Things that stood in the message before; 0 stands for a new one."""

    def __init__(self):
        self.things = []

    def known(self, number, new):
        if number == 0:
            self.things.append(new())
            return self.things[-1]
        return self.things[number - 1]

    def note(self, thing):
        if thing not in self.things:
            self.things.append(thing)

    def back(self, number, new):
        return new() if number == 0 else self.things[len(self.things) - number]


class Trail:
    """The changes of one record in one space so far."""

    def __init__(self):
        self.changes, self.ends, self.last = Table(), {}, {}


def open_message(network, data, device=bytes(8), spaces=(), find=None):
    """The stored forms of the batches that a message tells. What it refers to, of the exchange of a
    device over these spaces, `find` looks up: by place of the space, first bytes of the device, seq."""
    data = Reader(data)
    form = data.unsigned()
    if form == 2:
        if not data.data:
            return []
        from .form2 import Form2

        return Form2(network, data.data, device, spaces, find).batches()
    if form != 1:
        raise Bad(f"form {form} of the batches")
    numbers, random = data.unsigned(), data.unsigned()
    return Form1(network, data.take(numbers), data.take(random), data.data).batches()


class Form1:
    def __init__(self, network, numbers, random, texts):
        self.network = network
        numbers, self.random, self.texts = Reader(numbers), Reader(random), Reader(texts)
        self.number, self.difference = numbers.unsigned, numbers.signed
        self.spaces, self.devices, self.authors = Table(), Table(), Table()
        self.records, self.actors, self.keys, self.names = Table(), Table(), Table(), Table()
        self.trails, self.time, self.seq = {}, 0, 0

    def text(self):
        return self.texts.take(self.number())

    def batches(self):
        return [self.batch_of(self.number()) for _ in range(self.number())]

    def batch_of(self, told):
        """0 as it is, 1 by its meaning."""
        if told > 1:
            raise Bad("a batch told otherwise")
        return self.batch() if told else self.text()

    def space(self):
        return self.text().decode(), self.number()

    def batch(self):
        unit, kind = self.spaces.known(self.number(), self.space)
        device = self.devices.known(self.number(), lambda: self.random.take(8))
        author = self.authors.known(self.number(), lambda: self.random.take(8))
        self.seq += self.difference()
        prev = [self.parent() for _ in range(self.number())]
        dictionary = self.number()
        self.time += self.difference()
        signature, seed = self.random.take(64), self.random.take(16)
        head = [1, unit, kind, device, author, self.seq, prev, dictionary, self.time]
        header, entries = cbor.write(head), []
        for _ in range(self.number()):
            record = self.records.known(self.number(), lambda: self.random.take(17))
            entries.append((record, self.change((unit, kind, record), device)))
        salted = [(*entry, salt(seed, index)) for index, entry in enumerate(entries)]
        self.names.things.append(sha256(message(self.network, header, salted)))
        return cbor.write([header, signature, seed, [list(entry) for entry in entries]])

    def parent(self):
        return self.names.back(self.number(), lambda: self.random.take(32))

    def actor(self):
        return self.actors.known(self.number(), lambda: self.random.take(16))

    def change(self, document, device):
        if self.number() == 0:
            return self.text()
        trail = self.trails.setdefault(document, Trail())
        hash_of = lambda: self.random.take(32)
        deps = [trail.changes.back(self.number(), hash_of) for _ in range(self.number())]
        start_op = max((trail.ends.get(dep, 0) for dep in deps), default=0) + 1 + self.difference()
        time = self.time + self.difference()
        puts = [self.put(trail) for _ in range(self.number())]
        made = Change(sorted(set(deps)), b"", start_op, time, puts)
        chunk = change.write(made, device)
        self.actors.note(made.actor)
        trail.changes.things.append(made.hash)
        trail.ends[made.hash] = start_op + len(puts) - 1
        trail.last.update({put.key: op for op, put in made.ops()})
        return chunk

    def put(self, trail):
        key = self.keys.known(self.number(), lambda: self.text().decode())
        value, preds = self.value(), self.number()
        if preds == 0:
            return Put(key, value, [])
        if preds == 1:
            return Put(key, value, [trail.last[key]])
        return Put(key, value, sorted((self.number(), self.actor()) for _ in range(preds - 1)))

    def value(self):
        kind = self.number()
        if kind == 3:
            return self.difference()
        if kind >= 4:
            return self.texts.take(kind - 4).decode()
        return (None, False, True)[kind]
