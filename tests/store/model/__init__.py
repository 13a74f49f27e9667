"""What lanes promise, in plain words: one account without Redis, which the scripts are held against.

Each module knows those before it: values, lanes, holds, ends, fates, account. Nothing here is fast or safe against
crashes; everything is a dictionary or a sorted list. What the machine never does is left out: windows other than a
requester's, marks of sources, keys, full accounts, what slows a target or the account, effects that set in after some
answers, numbers logged in, and recalls.
"""
