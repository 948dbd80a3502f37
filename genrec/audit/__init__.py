"""Audit of a dataset before anyone trains: which shortcuts would solve it, and is its split clean?"""

from __future__ import annotations

from genrec.audit.finding import GRADES, Finding
from genrec.audit.run import Audit, audit

__all__ = ["GRADES", "Audit", "Finding", "audit"]
