from .auditing import audit
from .cases import Case, case
from .findings import Audit
from .laboratory import curve, run, scenarios
from .lesson import Figure, Lesson
from .reporting import report

__all__ = ["Audit", "Case", "Figure", "Lesson", "audit", "case", "curve", "report", "run", "scenarios"]
