"""From a producer's message to the exact bytes NapCat gets: pure functions, no I/O, no clock.

`parse_document` reads strict JSON, `split_document` a list of such; `convert` turns a job into its parts; `fingerprint`
knows a sent part again in what NapCat reports. Inside: message and cqcode read, media and location judge, split
groups, wire writes.
"""

from gateway.convert.conversion import convert, message_faults
from gateway.convert.cqcode import parse_cq, render_cq
from gateway.convert.document import parse_document, split_document
from gateway.convert.fingerprint import fingerprint

__all__ = ["convert", "fingerprint", "message_faults", "parse_cq", "parse_document", "render_cq", "split_document"]
