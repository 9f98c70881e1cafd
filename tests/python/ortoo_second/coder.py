"""The range coder of form 2, its reading end, and the models of numbers, symbols and texts."""

from .cbor import Bad


class Bit:
    def __init__(self, zero=32768, seen=0):
        self.zero, self.seen = zero, seen

    def share(self):
        return min(max(self.zero // 16, 64), 4032)

    def learn(self, bit):
        step = 2 * ((0 if bit else 65535) - self.zero)
        parts = 2 * self.seen + 3
        self.zero += step // parts if step >= 0 else -(-step // parts)
        self.seen = min(self.seen + 1, 30)


def tree(size):
    return [Bit() for _ in range(size)]


class Number:
    """The class of a number, and the second highest bit of each class."""

    def __init__(self):
        self.classes, self.second = tree(32), tree(32)
        for rare in (1, 2):
            self.classes[rare] = Bit(60000, 2)


class Text:
    def __init__(self):
        self.first = [tree(256) for _ in range(4)]
        self.second, self.later = {}, {}

    def of_first(self, before):
        if before is None:
            return self.first[0]
        if 48 <= before <= 57:
            return self.first[1]
        return self.first[2 if before < 128 else 3]


class Stream:
    def __init__(self, data):
        self.data, self.at, self.range = data, 0, 2**32 - 1
        self.code = 0
        for _ in range(4):
            self.shift()

    def shift(self):
        byte = self.data[self.at] if self.at < len(self.data) else 0
        self.code = (self.code << 8 | byte) & 0xFFFFFFFF
        self.at += 1
        if self.at > len(self.data) + 3:
            raise Bad("read beyond the end")

    def is_at_end(self):
        return self.at == len(self.data) + 3 and self.code < 1 << 24

    def narrow(self, bound):
        bit = self.code >= bound
        if bit:
            self.code, self.range = self.code - bound, self.range - bound
        else:
            self.range = bound
        while self.range < 1 << 24:
            self.range <<= 8
            self.shift()
        return int(bit)

    def bit(self, model):
        bit = self.narrow(self.range // 4096 * model.share())
        model.learn(bit)
        return bit

    def plain(self, bits):
        number = 0
        for _ in range(bits):
            number = number << 1 | self.narrow(self.range // 2)
        return number

    def symbol(self, models):
        node = 1
        while node < len(models):
            node = node << 1 | self.bit(models[node])
        return node - len(models)

    def number(self, model):
        kind = bits = self.symbol(model.classes)
        if bits == 31:
            bits += self.plain(6)
        if bits < 2:
            return bits
        second = self.bit(model.second[kind])
        return (2 | second) << bits - 2 | self.plain(bits - 2)

    def signed(self, model):
        folded = self.number(model)
        return -(folded // 2) - 1 if folded & 1 else folded // 2

    def raw(self, count):
        return bytes(self.plain(8) for _ in range(count))

    def text(self, model, length):
        out = bytearray()
        while len(out) < length:
            first = self.symbol(model.of_first(out[-1] if out else None))
            out.append(first)
            more = (first >= 0xC2) + (first >= 0xE0) + (first >= 0xF0)
            before = first
            for place in range(more):
                if place == 0:
                    models = model.second.setdefault(first, tree(64))
                else:
                    models = model.later.setdefault((first, before), tree(64))
                before = 128 | self.symbol(models)
                out.append(before)
        return out.decode()
