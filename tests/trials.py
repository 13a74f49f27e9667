"""How often what is made up at random is tried: `TRIALS=20` tries everything twenty times as often as a usual run."""

import os

TRIALS = int(os.environ.get("TRIALS", "1"))
