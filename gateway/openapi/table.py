"""The one table of what is served over HTTP; a test holds it against the routes, both ways."""

from gateway.openapi.dashboard import DASHBOARD
from gateway.openapi.jobs import JOBS
from gateway.openapi.lanes import LANES
from gateway.openapi.onebot import ONEBOT
from gateway.openapi.service import SERVICE
from gateway.openapi.webhooks import WEBHOOKS

TAGS = {
    "Jobs": "A job is one request to deliver one message to one group or person.",
    "Targets": "A target is a group or a person: jobs for it wait in one line, in their order.",
    "Accounts": "An account is one NapCat login.",
    "OneBot 11": "A program that talks to NapCat works by changing its URL.",
    "Webhooks": "Other products post what they have to say; it becomes jobs.",
    "Dashboard": "The page at `/`, and what it is made of.",
    "Service": "The gateway itself. Health checks and this description need no key.",
}
OPERATIONS = (*JOBS, *LANES, *ONEBOT, *WEBHOOKS, *DASHBOARD, *SERVICE)
"""All that is served."""
