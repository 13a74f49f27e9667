"""The OneBot 11 drop-in: a client of NapCat works by changing its URL."""
