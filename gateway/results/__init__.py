"""What became of every job."""
