"""Copy a GGUF file with another chat template. Usage: retemplate.py IN OUT TEMPLATE-FILE

    "GGUF" version:u32 n_tensors:u64 n_kv:u64   kv…   tensor infos…   padding   data
    kv = key:string type:u32 value; string = length:u64 bytes; array = type:u32 count:u64 values

Only the one value changes, so everything behind it moves; tensor offsets count from the padded start of the data.
"""
import struct
import sys

SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


def skip(b, at, kind):
    """The place behind the value of this type at `at`."""
    if kind == 8:
        return at + 8 + struct.unpack_from("<Q", b, at)[0]
    if kind == 9:
        inner, n = struct.unpack_from("<IQ", b, at)
        at += 12
        if inner in SIZES:
            return at + n * SIZES[inner]
        for _ in range(n):
            at = skip(b, at, inner)
        return at
    return at + SIZES[kind]


def string(b, at):
    n = struct.unpack_from("<Q", b, at)[0]
    return b[at + 8:at + 8 + n], at + 8 + n


def pairs(b):
    """(key, type, start, end) of each key/value pair's value, and at last (None, None, end of all pairs, same)."""
    at = 24
    for _ in range(struct.unpack_from("<Q", b, 16)[0]):
        key, at = string(b, at)
        kind = struct.unpack_from("<I", b, at)[0]
        start, at = at + 4, skip(b, at + 4, kind)
        yield key, kind, start, at
    yield None, None, at, at


def main():
    b = open(sys.argv[1], "rb").read()
    template = open(sys.argv[3], "rb").read()
    value, alignment = None, 32
    for key, _, start, at in pairs(b):
        if key == b"tokenizer.chat_template":
            value = (start, at)
        if key == b"general.alignment":
            alignment = struct.unpack_from("<I", b, start)[0]
    for _ in range(struct.unpack_from("<Q", b, 8)[0]):
        _, at = string(b, at)
        at += 4 + 8 * struct.unpack_from("<I", b, at)[0] + 4 + 8
    data = -(-at // alignment) * alignment
    head = b[:value[0]] + struct.pack("<Q", len(template)) + template + b[value[1]:at]
    head += b"\0" * (-len(head) % alignment)
    with open(sys.argv[2], "wb") as f:
        f.write(head + b[data:])


if __name__ == "__main__":
    main()
