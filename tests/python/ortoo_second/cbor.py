"""CBOR as the messages use it: definite lengths, no floats, no tags."""


class Bad(ValueError):
    """Bytes that are not what they should be."""


def read(data):
    value, rest = item(data)
    if rest:
        raise Bad("bytes behind the item")
    return value


def item(data, depth=0):
    if not data or depth > 16:
        raise Bad("cut short or too deep")
    major, short = data[0] >> 5, data[0] & 31
    if short < 24:
        number, data = short, data[1:]
    elif short < 28:
        width = 1 << (short - 24)
        number, data = int.from_bytes(data[1 : 1 + width], "big"), data[1 + width :]
    else:
        raise Bad("a length that is not told")
    if major == 0:
        return number, data
    if major == 1:
        return -1 - number, data
    if major in (2, 3):
        if len(data) < number:
            raise Bad("cut short")
        taken, data = bytes(data[:number]), data[number:]
        return (taken if major == 2 else taken.decode()), data
    if major in (4, 5):
        items = []
        for _ in range(number * (major - 3)):
            one, data = item(data, depth + 1)
            items.append(one)
        return (items if major == 4 else dict(zip(items[::2], items[1::2]))), data
    if major == 7 and short in (20, 21, 22):
        return {20: False, 21: True, 22: None}[short], data
    raise Bad("an item that no message has")


def head(major, number):
    if number < 24:
        return bytes([major << 5 | number])
    for short, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << 8 * width:
            return bytes([major << 5 | short]) + number.to_bytes(width, "big")
    raise Bad("a number of more than 64 bits")


def write(value):
    if value is None:
        return b"\xf6"
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    return head(4, len(value)) + b"".join(write(one) for one in value)
