"""Bundle files: envelopes, and what is inside."""

from dataclasses import dataclass

from . import batch, cbor, ed25519, message, sealed
from .batch import sha256
from .cbor import Bad
from .change import Reader


def key_name(public):
    return sha256(b"ortoo sealing key v1\0", public)[:8]


@dataclass
class Envelope:
    names: list
    wrapped: list  # the content key, sealed to each, if there are several
    sealed: bytes
    head: bytes

    def is_for(self, key):
        return key_name(b"\1" + ed25519.x25519_public(key)) in self.names

    def open(self, network, key):
        """What is inside, unpacked, for the holder of a sealing key."""
        name = key_name(b"\1" + ed25519.x25519_public(key))
        if name not in self.names:
            raise Bad("it is for others")
        bound = b"ortoo bundle v1\0" + network + self.head
        if self.wrapped:
            wrapped = self.wrapped[self.names.index(name)]
            of_key = b"ortoo bundle key v1\0" + network + self.head
            inside = sealed.open_row(sealed.open_with(key, of_key, wrapped), bound, self.sealed)
        else:
            inside = sealed.open_with(key, bound, self.sealed)
        inside = Reader(inside)
        packed = inside.take(inside.unsigned())
        if any(inside.data):
            raise Bad("it is filled up with something")
        return message.unpack(packed)


def envelopes(data):
    data = Reader(data)
    while data.data:
        whole = data.data
        if data.take(1) != b"\xb1":
            raise Bad("no bundle of version 1")
        count = data.unsigned()
        names = [data.take(8) for _ in range(count)]
        head = whole[: len(whole) - len(data.data)]
        wrapped = [data.take(81) for _ in range(count)] if count > 1 else []
        yield Envelope(names, wrapped, data.take(data.unsigned()), head)


def content(network, data):
    """Batches in their stored form, control entries, claims, receipts."""
    fields = (cbor.read(data) + [None] * 5)[:5]
    version, batches, control, claims, receipts = fields
    if version != 1:
        raise Bad("another version")
    stored = batch.open_message(network, batches) if batches else []
    return stored, control or [], claims, receipts or []


def signed(label, network, key, data):
    """The fields of something signed, if it was signed with this key."""
    body, signature = cbor.read(data)[:2]
    if not ed25519.verify(key, label + network + body, signature):
        raise Bad("somebody else signed it")
    return cbor.read(body)
