"""From a claim to an outcome: the NapCat call and what its answer proves."""
