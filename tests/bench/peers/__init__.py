"""Other queues doing the identical job: the same Redis, the same stub, the same requests."""
