from .audit import audit
from .findings import Audit
from .laboratory import curve, run, scenarios
from .lesson import Figure, Lesson

__all__ = ["Audit", "Figure", "Lesson", "audit", "curve", "run", "scenarios"]
