"""API keys for tests: the secret of each is its name."""

import hashlib
from typing import Any


def key(name: str, **fields: Any) -> dict[str, Any]:
    """Return the settings of the key whose secret is its name."""
    return {"name": name, "sha256": hashlib.sha256(name.encode()).hexdigest(), **fields}


def bearer(name: str) -> dict[str, str]:
    """Return the header by which the key NAME is brought."""
    return {"Authorization": f"Bearer {name}"}
