"""``/events``: what users do now."""

from typing import TYPE_CHECKING

from genrec.serving.answering import REFUSALS, answer
from genrec.serving.errors import wrong
from genrec.serving.schema import EventsAnswer, EventsBody
from genrec.serving.service import Service
from genrec.wording import count

if TYPE_CHECKING:
    from fastapi import APIRouter


def router(service: Service) -> "APIRouter":
    """The routes."""
    from fastapi import APIRouter, Response

    made = APIRouter(tags=["events"], responses={422: REFUSALS[422]})

    @made.post("/events", response_model=EventsAnswer)
    async def events(body: EventsBody) -> Response:
        """Append items to a user's history. They are kept in memory, and end with the service."""
        most = service.settings.max_history
        if len(body.items) > most:
            raise wrong(f"{count(len(body.items), 'item')}: this service allows {most:,}.", "body", "items")
        return answer({"user": body.user, "remembered": service.events.add(body.user, body.items)})

    return made
