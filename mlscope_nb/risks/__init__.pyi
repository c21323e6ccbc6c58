from .audit import audit
from .findings import Audit
from .laboratory import curve, run, scenarios
from .lesson import Figure, Lesson
from .report import report

__all__ = ["Audit", "Figure", "Lesson", "audit", "curve", "report", "run", "scenarios"]
