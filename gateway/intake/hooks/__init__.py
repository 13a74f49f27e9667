"""Webhooks: what other products post becomes messages."""
