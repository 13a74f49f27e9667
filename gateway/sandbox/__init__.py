"""A whole world on one machine: a stand-in NapCat, and the demo."""
