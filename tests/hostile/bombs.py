"""Makes decompression bombs: small bodies that unpack to much.

Usage: bombs.py FOLDER

Writes each to a file `STATUS.ENCODING.NAME`: the status of the right response, and the value of
`Content-Encoding`.
"""

import gzip
import pathlib
import struct
import sys
import zlib

FOLDER = pathlib.Path(sys.argv[1])
MIB = 1 << 20

# 64 MiB of zeros in Brotli, which Python cannot make.
BROTLI = bytes.fromhex(
    "cfffff7ff82700e2b14020f7fe9ffffffff04f00c4610180eefd3fffffffe19f0088c322"
    "00ddfb7ffeffffc33f0110870500baf7ff03"
)


def zstd(size, window_log, last=True):
    """A frame of zeros: a block is four bytes for 128 KiB (RFC 8878, section 3.1.1)."""
    frame = b"\x28\xb5\x2f\xfd" + bytes([0, (window_log - 10) << 3])
    block = 128 << 10
    blocks = size // block
    for number in range(blocks):
        is_last = last and number + 1 == blocks
        frame += struct.pack("<I", block << 3 | 1 << 1 | is_last)[:3] + b"\0"
    return frame


def packed(line, size):
    return gzip.compress(line * (size // len(line)), 9)


def write(status, encoding, name, body):
    (FOLDER / f"{status}.{encoding}.{name}").write_bytes(body)


zeros = gzip.compress(bytes(64 * MIB), 9)
member = gzip.compress(bytes(MIB), 9)
write(413, "gzip", "zeros", zeros)
write(413, "gzip", "many members", member * 64)
write(413, "gzip", "spaces", packed(b" ", 64 * MIB))
write(413, "gzip", "lines that are none", packed(b"{\n", 64 * MIB))
write(413, "x-gzip", "zeros", zeros)
write(413, "zstd", "zeros", zstd(64 * MIB, 17))
# The declared window takes no memory: a decoder looks back at its output only.
write(413, "zstd", "window of a body", zstd(64 * MIB, 24))
write(413, "zstd", "window of the usual decoder", zstd(64 * MIB, 27))
write(413, "zstd", "window of two gigabytes", zstd(64 * MIB, 31))
write(413, "zstd", "many frames", zstd(MIB, 20) * 64)
write(413, "br", "zeros", BROTLI)

write(400, "zstd", "cut short", zstd(8 * MIB, 23, last=False))
write(400, "br", "cut short", BROTLI[:8])

# Packed twice, or in an encoding that the server does not support: nothing is unpacked.
write(415, "gzip, gzip", "zeros in zeros", gzip.compress(zeros, 9))
write(415, "br, gzip", "zeros in zeros", gzip.compress(BROTLI, 9))
write(415, "deflate", "zeros", zlib.compress(bytes(64 * MIB), 9))
write(415, "zlib", "zeros", zlib.compress(bytes(64 * MIB), 9))

# Bodies of the largest permitted size are unpacked, and have no valid record.
fits = 16 * MIB
write(400, "gzip", "spaces that fit", packed(b" ", fits))
write(400, "gzip", "empty lines that fit", packed(b"\n", fits))
write(400, "gzip", "bad lines that fit", packed(b"{\n", fits))
write(400, "gzip", "arrays in arrays that fit", packed(b"[", fits))
write(400, "gzip", "objects in objects that fit", packed(b'{"a":', fits))
write(400, "gzip", "one text that fits", gzip.compress(b'{"type":"' + b"a" * (fits - 11) + b'"}', 9))
write(400, "zstd", "zeros that fit", zstd(fits, 24))
write(400, "zstd", "zeros in a window of two gigabytes that fit", zstd(fits, 31))
