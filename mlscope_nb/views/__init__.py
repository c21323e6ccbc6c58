"""Linked views: one selection shared by map, gallery, fields and Python.

HoloViews and Bokeh are loaded when the first view is made.
"""

import lazy_loader

# Names and their places stand in __init__.pyi; each is loaded when it is asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
