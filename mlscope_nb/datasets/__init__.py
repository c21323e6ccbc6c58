"""Where example cells come from: real sets that travel with mlscope, and simulated studies with an answer key."""

import lazy_loader

# Names and their places stand in __init__.pyi; each is loaded when it is asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
