"""Upgrades: old data, old and new gateways side by side, and data that only a newer one knows."""
