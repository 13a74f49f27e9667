"""What lives as long as the process, and what its settings of the moment make of it."""

from gateway.running.process import Running
from gateway.running.reload import Again, Reload

__all__ = ["Again", "Reload", "Running"]
