"""Where studies go wrong: the audit of a design, the pitfalls as experiments, the evidence report."""

import lazy_loader

# Names and their places stand in __init__.pyi; each is loaded when it is asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
