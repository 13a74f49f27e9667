"""The stand-in NapCat keeps the promises of NAPCAT.md, over real sockets."""
