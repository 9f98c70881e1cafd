"""Form 2 of the batches in a message: also told by what the receiver holds."""

from collections import defaultdict
from types import SimpleNamespace

from . import batch, cbor, change
from .cbor import Bad
from .change import Change, Put
from .coder import Bit, Number, Stream, Text, tree


class Table:
    """Things by number, from 1; each stands once."""

    def __init__(self, things=()):
        self.things = list(dict.fromkeys(things))

    def note(self, thing):
        if thing not in self.things:
            self.things.append(thing)

    def __getitem__(self, number):
        return self.things[number - 1]

    def back(self, number):
        if not 0 < number <= len(self.things):
            raise Bad("nothing stands there")
        return self.things[-number]


class Trail:
    """What is known of a document: the changes told, and those of batches referred to."""

    def __init__(self):
        self.changes, self.ends, self.last = [], {}, {}

    def take(self, one):
        end = one.start_op + len(one.puts) - 1
        self.changes = sorted(set(self.changes) | {(end, one.hash)})
        self.ends[one.hash] = end
        for op, put in one.ops():
            self.last[put.key] = max(op, self.last.get(put.key, op))


def references(data, device, spaces):
    """What a message refers to, as (place of the space, first bytes of the device, seq)."""
    return Form2(b"", data, device, spaces, None).list


class Form2:
    """`find` gives the batch, read, that a reference names; the message is all that is told."""

    def __init__(self, network, data, device, spaces, find):
        self.network = network
        self.spaces, self.stream = Table(spaces), Stream(data)
        self.models, self.texts = defaultdict(Number), Text()
        self.bits, self.key_trees = defaultdict(Bit), defaultdict(lambda: tree(256))
        self.values = [tree(8) for _ in range(5)]
        # Apart from the rest.
        feeds, self.list = Table([device[:2]]), []
        for _ in range(self.number("list count")):
            space = self.number("list space")
            feed = self.known("list feed", feeds, lambda: self.stream.raw(2))
            self.list.append((space, feed, self.number("list seq")))
        self.held = [find(*one) for one in self.list] if find else []
        self.used, self.taken = 0, set()
        self.devices = Table([device] + [one.device for one in self.held])
        self.authors, self.records, self.actors = Table(), Table(), Table()
        self.keys, self.names, self.samples = Table(), Table(), {}
        self.trails, self.before, self.of_feed = defaultdict(Trail), {}, {}
        self.last = None

    def number(self, model):
        return self.stream.number(self.models[model])

    def signed(self, model):
        return self.stream.signed(self.models[model])

    def known(self, model, table, new):
        number = self.number(model)
        if number:
            return table[number]
        thing = new()
        table.note(thing)
        return thing

    def text(self):
        return self.stream.text(self.texts, self.number("length"))

    def batches(self):
        count = self.number("batches")
        told = [self.as_it_is() if self.bit("canonical") else self.batch() for _ in range(count)]
        if not self.stream.is_at_end():
            raise Bad("bytes behind the batches")
        return told

    def bit(self, model):
        return self.stream.bit(self.bits[model])

    def as_it_is(self):
        return self.stream.raw(self.number("raw length"))

    def space(self):
        return self.text(), self.number("class")

    def batch(self):
        space = unit, kind = self.known("space", self.spaces, self.space)
        device = self.known("device", self.devices, lambda: self.stream.raw(8))
        prev, highest = [], None
        for _ in range(self.number("parents")):
            parent, said = self.parent(space, device)
            prev.append(parent)
            if said and (highest is None or highest.seq < said.seq):
                highest = said
        near = highest or self.last
        seq = 1 + (highest.seq if highest else self.last.seq if prev and self.last else 0)
        seq += self.signed("seq")
        author = self.author(near)
        dictionary = (near.dictionary if near else 0) + self.signed("dictionary")
        dated = self.last or highest
        time = (dated.time if dated else 0) + self.signed("batch time")
        signature, seed = self.stream.raw(64), self.stream.raw(16)
        head = [1, unit, kind, device, author, seq, prev, dictionary, time]
        said = SimpleNamespace(seq=seq, author=author, dictionary=dictionary, time=time)
        header, entries, self.time = cbor.write(head), [], time
        for _ in range(self.number("entries")):
            entries.append(self.entry(space, device))
        salted = [(*entry, batch.salt(seed, index)) for index, entry in enumerate(entries)]
        name = batch.sha256(batch.message(self.network, header, salted))
        self.names.note(name)
        self.before[name], self.of_feed[space, device], self.last = said, name, said
        return cbor.write([header, signature, seed, [list(entry) for entry in entries]])

    def parent(self, space, device):
        kind = self.number("parent")
        if kind == 0:
            return self.stream.raw(32), None
        if kind == 2:
            held = self.held[self.reference()]
            return held.name, held
        name = self.of_feed[space, device] if kind == 1 else self.names.back(kind - 2)
        return name, self.before[name]

    def author(self, near):
        kind = self.number("author")
        if kind == 0:
            author = near.author
        elif kind == 1:
            author = self.stream.raw(8)
        else:
            author = self.authors[kind - 1]
        self.authors.note(author)
        return author

    def reference(self):
        back = self.number("reference")
        if back == 0:
            self.used += 1
            return self.used - 1
        return self.used - back

    def entry(self, space, device):
        kind = self.number("record")
        if kind == 0:
            record = self.stream.raw(17)
        elif kind == 1:
            place = self.reference()
            record = self.held[place].entries[self.number("place")][0]
            self.take(space, record, place)
        else:
            record = self.records[kind - 1]
        self.records.note(record)
        for _ in range(self.number("references")):
            self.take(space, record, self.reference())
        if self.bit("as it is"):
            return record, self.as_it_is()
        return record, self.change(self.trails[space, record], device)

    def take(self, space, record, place):
        """Takes what a batch referred to says of a record into its document."""
        if self.held[place].space_pair != space or (place, record) in self.taken:
            raise Bad("a reference that says nothing new")
        self.taken.add((place, record))
        for of, chunk in self.held[place].entries:
            if of != record:
                continue
            try:
                one = change.parse(chunk)
            except Bad:
                continue
            self.trails[space, record].take(one)
            self.actors.note(one.actor)
            for put in one.puts:
                self.keys.note(put.key)
                self.samples[put.key] = put.value

    def actor(self):
        return self.known("actor", self.actors, lambda: self.stream.raw(16))

    def change(self, trail, device):
        deps = []
        for _ in range(self.number("deps")):
            back = self.number("dep")
            deps.append(trail.changes[-back][1] if back else self.stream.raw(32))
        start = max((trail.ends.get(dep, 0) for dep in deps), default=0) + 1
        start += self.signed("start op")
        self.time += self.signed("time")
        puts, before = [], None
        for _ in range(self.number("puts")):
            key, before = self.key(before)
            value = self.value(key)
            puts.append(Put(key, value, self.preds(trail, key)))
            self.samples[key] = value
        made = Change(sorted(set(deps)), b"", start, self.time, puts)
        chunk = change.write(made, device)
        trail.take(made)
        self.actors.note(made.actor)
        return chunk

    def key(self, before):
        number = self.stream.symbol(self.key_trees[before])
        if number == 255:
            number += self.number("far")
        if number == 0:
            key = self.text()
            self.keys.note(key)
        else:
            key = self.keys[number]
        place = self.keys.things.index(key)
        return key, place if place < 255 else None

    def value(self, key):
        sample = self.samples.get(key)
        if key not in self.samples:
            kind = 0
        elif sample is None:
            kind = 1
        elif isinstance(sample, bool):
            kind = 2
        else:
            kind = 3 if isinstance(sample, int) else 4
        told = self.stream.symbol(self.values[kind])
        if told < 3:
            return (None, False, True)[told]
        if told == 3:
            return self.signed("integer")
        if told == 4:
            return self.text()
        if told == 5:
            return sample
        return self.stream.text(self.texts, len(sample.encode()))

    def preds(self, trail, key):
        count = self.number("preds")
        if count == 0:
            return [trail.last[key]] if key in trail.last else []
        return [(self.number("counter"), self.actor()) for _ in range(count - 1)]
