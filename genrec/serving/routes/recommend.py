"""``/recommend``: lists for one user or many."""

from typing import TYPE_CHECKING, Annotated

from genrec.serving.answering import REFUSALS, answer
from genrec.serving.direct import add_direct
from genrec.serving.schema import ManyLists, OneList, RecommendBody, RecommendQuery
from genrec.serving.service import Service

if TYPE_CHECKING:
    from fastapi import APIRouter


def router(service: Service) -> "APIRouter":
    """The routes."""
    from fastapi import APIRouter, Query, Response

    made = APIRouter(tags=["recommend"], responses=REFUSALS)

    @add_direct(made, "/recommend", RecommendBody, response_model=OneList | ManyLists)
    async def recommend(body: RecommendBody) -> Response:
        """Recommend for a user, a history, or many of either."""
        return answer(await service.recommend(body))

    @made.get("/recommend", response_model=OneList)
    async def recommend_user(asked: Annotated[RecommendQuery, Query()]) -> Response:
        """Recommend for one user of the table of histories."""
        return answer(await service.recommend(asked.body(), "query"))

    return made
