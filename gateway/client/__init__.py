"""The Python client: `async with Gateway("http://127.0.0.1:8080", key="gw_…") as gateway: await gateway.send(…)`."""

from gateway.client.answers import JobFields, Replayed, ReplayFailed, Replays, Submitted
from gateway.client.errors import (
    Conflict,
    Forbidden,
    NotFound,
    NotUnderstood,
    RecallFailed,
    Unauthorized,
    Unavailable,
)
from gateway.client.gateway import Gateway, Handle, JobLike
from gateway.model.errors import Fault, GatewayError, Refused
from gateway.model.job import Job
from gateway.model.receipt import FINAL_STATES, Receipt

__all__ = [
    "FINAL_STATES",
    "Conflict",
    "Fault",
    "Forbidden",
    "Gateway",
    "GatewayError",
    "Handle",
    "Job",
    "JobFields",
    "JobLike",
    "NotFound",
    "NotUnderstood",
    "RecallFailed",
    "Receipt",
    "Refused",
    "ReplayFailed",
    "Replayed",
    "Replays",
    "Submitted",
    "Unauthorized",
    "Unavailable",
]
