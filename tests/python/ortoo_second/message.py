"""The messages, the control feed, and what a phone must know to talk."""

import zlib

from . import cbor, ed25519
from .batch import CLASSES, sha256
from .cbor import Bad

LIMIT = 4 * 1024 * 1024


def pack(data):
    return b"\0" + data


def unpack(data):
    if data[0] == 0:
        return data[1:]
    if data[0] != 1:
        raise Bad("an unknown compression")
    inflate = zlib.decompressobj(-15)
    out = inflate.decompress(data[1:], LIMIT)
    if inflate.unconsumed_tail or not inflate.eof:
        raise Bad("over the limit, or cut short")
    return out


def record_id(data):
    symbols = "0123456789abcdefghjkmnpqrstvwxyz"
    bits = int.from_bytes(data[1:], "big") << 2
    return chr(data[0]) + "".join(symbols[bits >> 5 * n & 31] for n in reversed(range(26)))


def device_id(key):
    return sha256(key)[:8]


def space(wire):
    return wire[0], wire[1]


def space_name(one):
    return f"{one[0]}.{CLASSES[one[1]]}"


def short(label, parts):
    framed = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return sha256(label.encode(), framed)[:16]


def vector_digest(vector):
    out = b""
    for device, tips in sorted(vector.items()):
        out += device + len(tips).to_bytes(4, "big")
        out += b"".join(seq.to_bytes(4, "big") + name for seq, name in sorted(tips))
    return short("ortoo vector v1", [out])


def base_digest(incarnation, bases):
    parts = [incarnation or b""]
    for one, (counter, vector) in sorted(bases.items()):
        parts += [space_name(one).encode(), counter.to_bytes(8, "big"), vector_digest(vector)]
    return short("ortoo base v1", parts)


#: Entries that persons sign: erasures, verdicts (a node signs small ones), wipes.
ORDERS, VERDICT = (6, 7, 8), 7


class Control:
    """The control feed as far as a reader needs it."""

    def __init__(self, network):
        self.network, self.names, self.replaced = network, set(), set()
        self.node_keys, self.tls_keys = set(), set()
        self.root_keys, self.order_keys, self.threshold, self.version = set(), set(), 1, 0
        self.writers, self.spaces = {}, {}
        self.package = None

    def take(self, entry):
        body, signatures = cbor.read(entry)[:2]
        message = b"ortoo control v1\0" + self.network + body
        good = {k[1:] for k, s in signatures if k[0] == 1 and ed25519.verify(k[1:], message, s)}
        suite, kind, _, content = cbor.read(body)[:4]
        if suite != 1 or not good:
            raise Bad("a control entry that nobody signed")
        if kind == 0:
            self.root(content, good)
        elif kind in ORDERS:
            if not good & (self.order_keys | (self.node_keys if kind == VERDICT else set())):
                raise Bad("an order that nobody signed who may")
        elif not good & self.node_keys:
            raise Bad("a control entry that no node signed")
        elif kind == 1:
            signing, _, spaces, _ = cbor.read(content)[:4]
            device = device_id(signing[1:])
            self.writers[device] = signing[1:]
            self.spaces.setdefault(device, set()).update(map(space, spaces))
        name = sha256(message)
        if kind == 2:
            rank = (cbor.read(content)[0], name)
            if self.package is None or self.package < rank:
                self.replaced |= {self.package[1]} if self.package else set()
                self.package = rank
            elif self.package > rank:
                self.replaced.add(name)
        self.names.add(name)

    def root(self, content, good):
        version, roots, threshold, nodes, orders, tls = cbor.read(content)[:6]
        first = sha256(b"ortoo root v1\0", content) == self.network
        # The first is named by the network; each later one is signed by the keys of the one before.
        roots = {key[1:] for key in roots}
        may, needed = (roots, threshold) if first else (self.root_keys, self.threshold)
        if not may:
            raise Bad("another network's root statement")
        if len(good & may) < needed:
            raise Bad("the root keys did not sign")
        # What a node or a person signed stays signed when a later statement leaves them out.
        self.node_keys |= {key[1:] for key in nodes}
        self.order_keys |= {key[1:] for key in orders}
        if version > self.version:
            self.version, self.root_keys, self.threshold = version, roots, threshold
            self.tls_keys = set(tls)

    def position(self):
        names = sorted(self.names - self.replaced)
        return len(names), short("ortoo control v1", names)

    def writer(self, device):
        nodes = {device_id(key): key for key in self.node_keys}
        return self.writers.get(device) or nodes.get(device)


def enrol_request(network, code, signing, sealing_public, strong=True):
    public = ed25519.public(signing)
    proof = b"ortoo enrol v1\0" + network + code.encode() + public + sealing_public
    proof = ed25519.sign(signing, proof + bytes([strong]))
    return pack(cbor.write([1, code, b"\1" + public, b"\1" + sealing_public, proof, strong]))


def enrol_answer(data):
    fields = cbor.read(unpack(data))
    names = ("version", "pending", "pin_only", "author", "incarnation", "nonce", "time", "control")
    return dict(zip(names, fields))


def request(network, signing, nonce, position, base, claims, budget):
    count, digest = position
    device = device_id(ed25519.public(signing))
    nothing = b"\1\1\0\0"  # form 1, one byte of numbers: no batch
    body = cbor.write([1, device, nonce, count, digest, base, claims, nothing, budget])
    signature = ed25519.sign(signing, b"ortoo request v1\0" + network + body)
    return pack(cbor.write([body, signature]))


ANSWER = (
    "version time nonce stale_nonce control incarnation spaces batches more refused"
).split()


def answer(data):
    fields = cbor.read(unpack(data))
    if fields[0] != 1:
        raise Bad("another version of the protocol")
    return dict.fromkeys(ANSWER) | dict(zip(ANSWER, fields))
