"""The values of the gateway: pure, frozen, importing nothing of ours."""
