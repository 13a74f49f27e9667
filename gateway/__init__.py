"""A message gateway in front of NapCat: queued, ordered, paced, retried by what an answer proves, tracked."""

__version__ = "0.1.0"
