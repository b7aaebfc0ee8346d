"""Files with errors in them."""

import struct
import zlib


def resealed(data):
    """The same bytes with a right checksum."""
    return data[:-4] + struct.pack("<I", zlib.crc32(data[:-4]))


def damaged(random, data):
    """The same bytes with some of them changed, removed or inserted; never the bytes themselves."""
    original, data = data, bytearray(data)
    for _ in range(random.integers(1, 6)):
        place = int(random.integers(0, len(data)))
        kind = random.integers(0, 5)
        if kind <= 1:
            data[place] = random.integers(0, 256)
        elif kind == 2:
            data[place] ^= 1 << random.integers(0, 8)
        elif kind == 3:
            del data[place : place + int(random.integers(1, 40))]
        else:
            data[place:place] = random.bytes(int(random.integers(1, 40)))
        if len(data) < 8:
            break
    return bytes(data) if data != original else damaged(random, original)
