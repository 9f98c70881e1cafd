"""A valid change v1: one uncompressed Automerge change chunk, read and written."""

import hashlib
from dataclasses import dataclass, field

from .cbor import Bad

MAGIC = bytes.fromhex("856f4a83")
COLUMNS = (0x15, 0x34, 0x42, 0x56, 0x57, 0x70, 0x71, 0x73)


class Reader:
    """What is left to read, with the numbers that changes and batches are made of."""

    def __init__(self, data):
        self.data = data

    def take(self, count):
        if count > len(self.data):
            raise Bad("cut short")
        taken, self.data = self.data[:count], self.data[count:]
        return bytes(taken)

    def unsigned(self):
        number = shift = 0
        while True:
            byte = self.take(1)[0]
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number

    def signed(self):
        number = shift = 0
        while True:
            byte = self.take(1)[0]
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number - (1 << shift) if byte & 64 else number


def unsigned(number):
    out = bytearray()
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out + bytes([number]))


def signed(number):
    out = bytearray()
    while True:
        byte, number = number & 127, number >> 7
        if (number == 0 and not byte & 64) or (number == -1 and byte & 64):
            return bytes(out + bytes([byte]))
        out.append(byte | 128)


@dataclass
class Put:
    key: str
    value: object
    preds: list = field(default_factory=list)  # (counter, actor)


@dataclass
class Change:
    deps: list
    actor: bytes  # empty until the device is known
    start_op: int
    time: int
    puts: list
    hash: bytes = b""

    def ops(self):
        for place, put in enumerate(self.puts):
            yield (self.start_op + place, self.actor), put


def parse(chunk):
    data = Reader(chunk)
    if data.take(4) != MAGIC:
        raise Bad("no change chunk")
    checksum, kind = data.take(4), data.take(1)
    if kind != b"\x01" or data.unsigned() != len(data.data):
        raise Bad("another chunk, or another length")
    body = data.data
    name = hashlib.sha256(b"\x01" + unsigned(len(body)) + body).digest()
    if name[:4] != checksum:
        raise Bad("the checksum is another")
    deps = [data.take(32) for _ in range(data.unsigned())]
    actor = data.take(data.unsigned())
    if data.unsigned() != 1:
        raise Bad("an actor that wrote before")
    start_op, time = data.unsigned(), data.signed()
    data.take(data.unsigned())
    actors = [None] + [data.take(data.unsigned()) for _ in range(data.unsigned())]
    lengths = [(data.unsigned(), data.unsigned()) for _ in range(data.unsigned())]
    column = dict.fromkeys(COLUMNS, b"")
    for number, length in lengths:
        column[number] = data.take(length)
    text = lambda r: r.take(r.unsigned()).decode()
    keys = runs(column[0x15], text)
    metas = runs(column[0x56], Reader.unsigned)
    counts = runs(column[0x70], Reader.unsigned)
    owners = runs(column[0x71], Reader.unsigned)
    steps = runs(column[0x73], Reader.signed)
    values, puts, counter = Reader(column[0x57]), [], 0
    for key, meta, count in zip(keys, metas, counts, strict=True):
        preds = []
        for _ in range(count):
            counter += steps.pop(0)
            preds.append((counter, actors[owners.pop(0)]))
        if len({actor for _, actor in preds}) < count:
            raise Bad("two predecessors of one actor under a key")
        puts.append(Put(key, value(values.take(meta >> 4), meta & 15), preds))
    change = Change(deps, actor, start_op, time, puts, name)
    if write(change) != chunk:
        raise Bad("another encoding of the same change")
    return change


def value(data, kind):
    if kind == 4:
        return Reader(data).signed()
    if kind == 6:
        return data.decode()
    return {0: None, 1: False, 2: True}[kind]


def runs(column, one):
    data, out = Reader(column), []
    while data.data:
        run = data.signed()
        if run > 0:
            out += [one(data)] * run
        else:
            out += [one(data) for _ in range(-run)]
    return out


def to_runs(values, one):
    out, at, start = b"", 0, 0

    def literal(until):
        some = values[start:until]
        return signed(-len(some)) + b"".join(map(one, some)) if some else b""

    while at < len(values):
        same = 1
        while at + same < len(values) and values[at + same] == values[at]:
            same += 1
        if same > 1:
            out += literal(at) + signed(same) + one(values[at])
            start = at + same
        at += same
    return out + literal(at)


def actor_of(device, deps, rest):
    """The actor of the change that a device writes: who wrote what, in 16 bytes."""
    content = hashlib.sha256(deps + rest).digest()
    return hashlib.sha256(b"ortoo actor v1\0" + device + content).digest()[:16]


def write(change, device=None):
    """The chunk; fills in the change's hash, and the actor where a device writes it."""
    pairs = [pred for put in change.puts for pred in put.preds]
    others = sorted({actor for _, actor in pairs})
    place = {actor: n + 1 for n, actor in enumerate(others)}
    metas, raw = [], b""
    for put in change.puts:
        if isinstance(put.value, bool):
            data, kind = b"", 1 + put.value
        elif put.value is None:
            data, kind = b"", 0
        elif isinstance(put.value, int):
            data, kind = signed(put.value), 4
        else:
            data, kind = put.value.encode(), 6
        metas.append(len(data) << 4 | kind)
        raw += data
    counters = [0] + [counter for counter, _ in pairs]
    steps = [after - before for before, after in zip(counters, counters[1:])]
    framed = lambda data: unsigned(len(data)) + data
    keys = [put.key.encode() for put in change.puts]
    columns = [
        (0x15, to_runs(keys, framed)),
        (0x34, unsigned(len(keys))),
        (0x42, to_runs([1] * len(keys), unsigned)),
        (0x56, to_runs(metas, unsigned)),
        (0x57, raw),
        (0x70, to_runs([len(put.preds) for put in change.puts], unsigned)),
        (0x71, to_runs([place[actor] for _, actor in pairs], unsigned)),
        (0x73, to_runs(steps, signed)),
    ]
    columns = [(number, data) for number, data in columns if data]
    deps = unsigned(len(change.deps)) + b"".join(change.deps)
    rest = unsigned(1) + unsigned(change.start_op) + signed(change.time)
    rest += unsigned(0) + unsigned(len(others)) + b"".join(map(framed, others))
    rest += unsigned(len(columns))
    rest += b"".join(unsigned(number) + unsigned(len(data)) for number, data in columns)
    rest += b"".join(data for _, data in columns)
    if device is not None:
        change.actor = actor_of(device, deps, rest)
    body = deps + framed(change.actor) + rest
    change.hash = hashlib.sha256(b"\x01" + framed(body)).digest()
    return MAGIC + change.hash[:4] + b"\x01" + framed(body)
