"""Whose turn it is: rates, holds and the tick that settles and claims."""
