"""What the README leaves to its reader: a line here for each new placeholder, file or command without an end."""

import base64
import json
from hashlib import sha256

JOB = {"group_id": "123456", "message": "a job"}
KEY = "gw_a-key-of-this-test"
KEY_LINE = {"name": "reader", "sha256": sha256(KEY.encode()).hexdigest(), "scopes": ["send", "read", "admin"]}
SECRET = "whsec_" + base64.b64encode(b"the secret of callbacks, 32 byte").decode()

FILES = {"job.json": json.dumps(JOB), "jobs.jsonl": json.dumps(JOB) + "\n"}
"""The files the README names without having made them."""
PLACEHOLDERS = {"gw_…": KEY, "whsec_…": SECRET, "{…}": json.dumps(JOB)}
"""What stands for something of the reader's own. `main.Zk3…` is a job made for the command that names it."""
REMOVED = "404"  # a group that the account was removed from
JOBS_FOR = [
    (r"recall", JOB, "delivered"),
    (r"replay", {"group_id": REMOVED, "message": "is anybody there?"}, "rejected"),
    (r"DELETE|cancel", {**JOB, "delay": "1h"}, "waiting"),
    (r"", JOB, "delivered"),
]
"""Which job that is, and how it stands by then: the first whose pattern is found in the command."""
ENDLESS = [r"jobs watch\s*$"]
"""Commands that go on until Ctrl-C, which is pressed once they have printed something."""
