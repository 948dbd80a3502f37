"""Settings of a service, and the bounds that no request exceeds."""

from __future__ import annotations

from pydantic import Field, model_validator

from genrec.config import Settings

MAX_K = 1_000
MAX_USERS = 1_000
MAX_BEAMS = 2_000
MAX_HISTORY = 10_000
MAX_LIST = 20_000
MAX_TEXT = 1_000
MAX_CONDITIONS = 20
MAX_WEIGHT = 1e6
"""What the schema itself allows; the settings of a service can only be narrower."""


class ServeSettings(Settings):
    """How a service waits, refuses and remembers."""

    window_ms: float = Field(
        2.0, ge=0, le=1000, description="how long a request waits for company, where there was some just before"
    )
    queue_users: int = Field(1024, ge=1, description="users that may wait for one model; more get 503")
    timeout_s: float = Field(30.0, gt=0, description="time limit of a request, from its first byte to its answer")
    header_s: float = Field(10.0, gt=0, description="time in which a client must have sent the head of a request")
    stop_s: float = Field(30.0, gt=0, description="how long requests in flight may go on after SIGTERM")
    connections: int = Field(2000, ge=1, description="open connections; more get 503")
    max_body: int = Field(1 << 20, ge=1, description="bytes of a request body; more get 413")
    max_k: int = Field(200, ge=1, le=MAX_K, description="longest list")
    max_users: int = Field(256, ge=1, le=MAX_USERS, description="users of one request")
    max_beams: int = Field(500, ge=1, le=MAX_BEAMS, description="hypotheses a user that a request may ask for")
    max_history: int = Field(1000, ge=1, le=MAX_HISTORY, description="items of one history")
    max_list: int = Field(10_000, ge=1, le=MAX_LIST, description="items of an allow list, a deny list or a prior")
    max_exact_items: int = Field(
        100_000, ge=0, description="largest catalogue of which a request may ask for every item's score"
    )
    remember_users: int = Field(100_000, ge=1, description="users whose events are kept in memory, the newest")
    remember_items: int = Field(100, ge=1, description="events that are kept of a user, the newest")
    keep_versions: int = Field(2, ge=1, le=10, description="versions of a catalogue that are kept, to roll back to")

    @model_validator(mode="after")
    def _consistent(self) -> ServeSettings:
        if self.max_users > self.queue_users:
            raise ValueError(
                f"queue_users is {self.queue_users:,}, and a request of max_users ({self.max_users:,}) would never "
                "find room: queue_users must be as large, or max_users smaller"
            )
        return self
