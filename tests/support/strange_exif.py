"""EXIF data of good photographs that Pillow cannot read, or cannot write again."""

import struct


def _block(tag: int) -> bytes:
    """A photograph a quarter turn off, and a tag whose number is given as text."""
    entries = [(tag, 2, 4, b"abc\0"), (0x0112, 3, 1, struct.pack("<HH", 6, 0))]
    packed = b"".join(struct.pack("<HHL4s", *entry) for entry in sorted(entries))
    return b"Exif\0\0II*\0" + struct.pack("<LH", 8, 2) + packed + bytes(4)


DAMAGED = {"zeros": b"Exif\0\0" + bytes(16), "short": b"Exif\0\0II*\0"}
"""Nothing can be read."""
TURNED = {"width": _block(0x0100), "unit": _block(0x0128), "resolution": _block(0x011A)}
"""The orientation, 6, can be read."""
