"""Tests of `gateway/lanes`."""
