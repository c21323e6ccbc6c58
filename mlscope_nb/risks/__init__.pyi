from .audit import audit
from .findings import Audit

__all__ = ["Audit", "audit"]
