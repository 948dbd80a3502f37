"""What monitors read: numbers of one service, in a registry of its own (the extra ``serve``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from genrec.errors import MissingExtraError

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_USERS = (1, 2, 4, 8, 12, 16, 32, 64, 128, 256)


class Metrics:
    """Counters, gauges and histograms; every label has few values, none of which a request can make up."""

    def __init__(self) -> None:
        try:
            from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
        except ImportError:
            raise MissingExtraError("prometheus-client", "serve") from None
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "genrec_requests", "Answered requests.", ["route", "method", "status"], registry=registry
        )
        self._seconds = Histogram(
            "genrec_request_seconds",
            "From the first byte to the answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._running = Gauge("genrec_requests_running", "Requests that are being answered.", registry=registry)
        per_model: dict[str, Any] = {"labelnames": ["model"], "registry": registry}
        self._users = Counter("genrec_decoded_users", "Users decoded.", **per_model)
        self._batch = Histogram("genrec_batch_users", "Users of a batch.", buckets=_USERS, **per_model)
        self._decoding = Histogram("genrec_decode_seconds", "Decoding of a batch.", buckets=_SECONDS, **per_model)
        self._waiting = Histogram(
            "genrec_wait_seconds", "Waiting of the first of a batch.", buckets=_SECONDS, **per_model
        )
        self._queue = Gauge("genrec_queue_users", "Users that wait.", **per_model)
        self._version = Gauge("genrec_version", "Number of the current version.", **per_model)
        self._items = Gauge("genrec_catalogue_items", "Items of the current version.", **per_model)
        self._reloads = Counter("genrec_reloads", "Reloads, by how they ended.", ["model", "result"], registry=registry)

    def running(self, change: int) -> None:
        """A request has come (1) or gone (-1)."""
        self._running.inc(change)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """A request is answered."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def watch(self, model: str, waiting: Callable[[], int]) -> ModelMetrics:
        """Numbers of one model; ``waiting`` gives the users in its queue."""
        self._queue.labels(model).set_function(waiting)
        return ModelMetrics(self, model)

    def decoded(self, model: str, users: int, seconds: float, waited: float) -> None:
        """A batch of a model is done."""
        self._users.labels(model).inc(users)
        self._batch.labels(model).observe(users)
        self._decoding.labels(model).observe(seconds)
        self._waiting.labels(model).observe(waited)

    def version(self, model: str, number: int, items: int) -> None:
        """Which version of a model is current now."""
        self._version.labels(model).set(number)
        self._items.labels(model).set(items)

    def reloaded(self, model: str, result: str) -> None:
        """A reload has ended: ``swapped``, ``unchanged``, ``failed`` or ``rolled-back``."""
        self._reloads.labels(model, result).inc()

    def text(self) -> bytes:
        """The page that Prometheus reads."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)


class ModelMetrics:
    """A decoder's :class:`~genrec.serving.batching.Watcher`."""

    def __init__(self, metrics: Metrics, model: str) -> None:
        self._metrics, self._model = metrics, model

    def decoded(self, users: int, requests: int, seconds: float, waited: float) -> None:
        """A batch is done."""
        self._metrics.decoded(self._model, users, seconds, waited)
