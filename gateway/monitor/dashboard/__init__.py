"""The dashboard at `/`: one page, the session of who looks at it, and the stream that keeps it up to date."""

from gateway.monitor.dashboard.page import Page
from gateway.monitor.dashboard.session import SignIn
from gateway.monitor.dashboard.stream import Stream

__all__ = ["Page", "SignIn", "Stream"]
