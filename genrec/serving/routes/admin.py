"""``/admin``: reload and roll back, for who knows the token."""

import secrets
from typing import TYPE_CHECKING, Annotated

from genrec.serving.answering import REFUSALS, answer
from genrec.serving.errors import Refusal
from genrec.serving.schema import AdminAnswer, AdminBody, RollBackBody
from genrec.serving.service import Service

if TYPE_CHECKING:
    from fastapi import APIRouter


def router(service: Service) -> "APIRouter":
    """The routes; without a token there are none."""
    from fastapi import APIRouter, Body, Depends, Response
    from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

    bearer = HTTPBearer(auto_error=False, description="the administrators' token")

    async def only_admins(said: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> None:
        given = "" if said is None else said.credentials
        if service.token is None or not secrets.compare_digest(given.encode(), service.token.encode()):
            headers = {"WWW-Authenticate": "Bearer"}
            raise Refusal(401, "Administrators say who they are: Authorization: Bearer TOKEN.", headers=headers)

    refusals = {code: REFUSALS[422] for code in (401, 409, 422)}
    made = APIRouter(prefix="/admin", tags=["admin"], dependencies=[Depends(only_admins)], responses=refusals)  # type: ignore[arg-type]
    if service.token is None:
        return made

    @made.post("/reload", response_model=AdminAnswer)
    def reload(body: Annotated[AdminBody, Body()] = AdminBody()) -> Response:  # noqa: B008 - it cannot be changed
        """Load what has changed at the place of a model, beside the current version, and swap."""
        return answer(service.reload(body.model))

    @made.post("/rollback", response_model=AdminAnswer)
    def roll_back(body: Annotated[RollBackBody, Body()] = RollBackBody()) -> Response:  # noqa: B008
        """Make an older version the current one again."""
        return answer(service.roll_back(body.model, body.version))

    return made
