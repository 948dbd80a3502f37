"""``/health``, ``/ready``, ``/metrics`` and ``/v1/models``: what monitors and people ask a service about itself."""

from typing import TYPE_CHECKING

from genrec.serving.answering import answer
from genrec.serving.parameters import reads_nothing
from genrec.serving.service import Service

if TYPE_CHECKING:
    from fastapi import APIRouter


def router(service: Service) -> "APIRouter":
    """The routes."""
    from fastapi import APIRouter, Response

    made = APIRouter(tags=["monitoring"])

    @made.get("/health")
    @reads_nothing
    async def health() -> Response:
        """Whether the process lives."""
        return answer({"status": "ok"})

    @made.get("/ready", responses={503: {"description": "The service is stopping"}})
    @reads_nothing
    async def ready() -> Response:
        """Whether it takes requests."""
        return answer({"status": "ready"} if service.ready else {"status": "stopping"}, 200 if service.ready else 503)

    @made.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Numbers for Prometheus."""
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @made.get("/v1/models")
    async def models() -> Response:
        """The served models, and the versions of their catalogues."""
        return answer({"object": "list", "data": [model.described() for model in service.models.values()]})

    return made
