from .attempts import NotDone, attempt
from .auditing import audit
from .cases import Case, case
from .findings import Audit
from .folder_report import FolderReport, report_folder
from .laboratory import curve, run, scenarios
from .lesson import Figure, Lesson
from .reporting import report

__all__ = [
    "Audit",
    "Case",
    "Figure",
    "FolderReport",
    "Lesson",
    "NotDone",
    "attempt",
    "audit",
    "case",
    "curve",
    "report",
    "report_folder",
    "run",
    "scenarios",
]
