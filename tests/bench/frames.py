"""The little of RFC 6455 the stub needs: an upgrade, whole text frames in, text frames out."""

import base64
import hashlib
import re
from collections.abc import Iterator

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA

_KEY = re.compile(rb"\r\nsec-websocket-key: *(\S+)", re.IGNORECASE)
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def upgrade(head: bytes) -> bytes | None:
    """Return the answer to a request HEAD that asks for a WebSocket; None when it does not."""
    key = _KEY.search(head)
    if key is None:
        return None
    accepted = base64.b64encode(hashlib.sha1(key[1] + _MAGIC).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %b\r\n\r\n" % accepted
    )


def taken(pending: bytearray) -> Iterator[tuple[int, bytes]]:
    """Take every whole frame of a client from PENDING and yield its opcode and unmasked payload.

    Fragments are not put together: the gateway sends none.
    """
    begin = 0
    try:
        while len(pending) - begin >= 6:
            length, payload = pending[begin + 1] & 0x7F, begin + 6
            if length >= 126:
                payload += 2 if length == 126 else 8
                length = int.from_bytes(pending[begin + 2 : payload - 4])
            if len(pending) < payload + length:
                return
            opcode, masked = pending[begin] & 0x0F, pending[payload : payload + length]
            mask = pending[payload - 4 : payload]
            begin = payload + length
            yield opcode, _unmasked(masked, mask)
    finally:
        del pending[:begin]


def frame(opcode: int, payload: bytes) -> bytes:
    """Return a frame of a server."""
    length = len(payload)
    if length < 126:
        return bytes((0x80 | opcode, length)) + payload
    if length < 65_536:
        return bytes((0x80 | opcode, 126)) + length.to_bytes(2) + payload
    return bytes((0x80 | opcode, 127)) + length.to_bytes(8) + payload


def _unmasked(masked: bytearray, mask: bytearray) -> bytes:
    """XOR as one number each: byte by byte would cost more than all else the stub does."""
    length = len(masked)
    repeated = bytes(mask) * (length // 4 + 1)
    return (int.from_bytes(masked) ^ int.from_bytes(repeated[:length])).to_bytes(length)
