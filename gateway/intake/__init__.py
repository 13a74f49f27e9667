"""Every way in, ending in one door: admission."""
