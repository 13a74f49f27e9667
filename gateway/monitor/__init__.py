"""What an operator sees: status, health."""
