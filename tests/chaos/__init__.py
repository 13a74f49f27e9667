"""What the gateway promises, while replicas are killed and suspended, Redis fails and clocks are wrong."""
