"""Recommendations over HTTP: micro-batching, filters of every request, catalogues that change while it runs.

Everything but the web framework is here without it: :class:`~genrec.serving.service.Service` answers bodies, and
:func:`~genrec.serving.app.build_app` puts routes around it (the extra ``serve``).
"""

from __future__ import annotations

from genrec.serving.app import build_app
from genrec.serving.service import Service
from genrec.serving.settings import ServeSettings
from genrec.serving.versions import Source

__all__ = ["ServeSettings", "Service", "Source", "build_app"]
