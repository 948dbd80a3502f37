"""Bodies and answers, as the OpenAPI page shows them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from genrec.serving.settings import (
    MAX_BEAMS,
    MAX_CONDITIONS,
    MAX_HISTORY,
    MAX_K,
    MAX_LIST,
    MAX_TEXT,
    MAX_USERS,
    MAX_WEIGHT,
)

Name = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
Condition = Annotated[str, Field(min_length=1, max_length=MAX_TEXT, examples=["price<=20"])]
History = Annotated[list[Name], Field(max_length=MAX_HISTORY)]
Items = Annotated[list[Name], Field(max_length=MAX_LIST)]
Number = Annotated[float, Field(ge=-MAX_WEIGHT, le=MAX_WEIGHT, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, le=MAX_WEIGHT, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
PerUser = Annotated[list[Items | None], Field(max_length=MAX_USERS)]


class Body(BaseModel):
    """Nothing unknown, nothing converted without need."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=(), strict=True)


class Decoding(Body):
    """Decoding settings that a request may change; see the page on decoding."""

    beams: int | None = Field(None, ge=1, le=MAX_BEAMS, description="hypotheses a user")
    normalize: Literal["vocabulary", "codes", "children"] | None = Field(
        None, description="what probabilities are over"
    )
    groups: int | None = Field(None, ge=1, le=MAX_BEAMS, description="groups of diverse beam search")
    diversity_penalty: Weight | None = Field(None, description="what a group loses for a code of an earlier one")
    max_per_prefix: int | None = Field(None, ge=1, le=MAX_K, description="results that may share their first codes")
    prefix_length: int | None = Field(None, ge=1, le=100, description="how many first codes are meant")
    mmr: Share | None = Field(None, description="weight of the score when re-ranking over item vectors")
    prior_weight: Weight | None = Field(None, description="factor on the prior of this request")
    words: Weight | None = Field(None, description="weight of words that an item shares with the history")
    exact: bool | None = Field(None, description="score every item instead of searching")

    def changes(self) -> tuple[tuple[str, Any], ...]:
        """What is said of decoding."""
        names = Decoding.model_fields
        return tuple((name, value) for name in names if (value := getattr(self, name)) is not None)


class Asked(Decoding):
    """What every request for recommendations may say."""

    model: Name | None = Field(None, description="name of a served model; the first one where nothing is said")
    k: int = Field(10, ge=1, le=MAX_K, description="length of a list")
    exclude_seen: bool = Field(True, description="never an item of the user's own history")
    where: Annotated[list[Condition], Field(max_length=MAX_CONDITIONS)] | None = Field(
        None, description="conditions on fields of items; all must hold"
    )
    fields: bool = Field(False, description="give every field of the items, too")
    explain: bool = Field(False, description="give what each part added to the scores, too; takes about twice as long")


class RecommendBody(Asked):
    """One user by name or by history, or many of either."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"history": ["item-3", "item-9"], "k": 5}, {"users": ["ann", "bob"]}]}
    )

    user: Name | None = Field(None, description="a user of the table of histories, or of events")
    history: History | None = Field(None, description="item ids, oldest first")
    users: Annotated[list[Name], Field(min_length=1, max_length=MAX_USERS)] | None = None
    histories: Annotated[list[History], Field(min_length=1, max_length=MAX_USERS)] | None = None
    allow: Items | None = Field(None, description="only these items, for every user of the request")
    deny: Items | None = Field(None, description="never these items")
    allow_each: PerUser | None = Field(None, description="only these items, one list (or null) a user")
    deny_each: PerUser | None = Field(None, description="never these items, one list (or null) a user")
    within: Name | Annotated[list[Name | None], Field(max_length=MAX_USERS)] | None = Field(
        None, description="named part of the catalogue, or one name (or null) a user"
    )
    prior: Annotated[dict[Name, Number], Field(max_length=MAX_LIST)] | None = Field(
        None, description="scores by item id that are added to the model's"
    )

    @model_validator(mode="after")
    def _who(self) -> RecommendBody:
        given = [name for name in ("user", "history", "users", "histories") if getattr(self, name) is not None]
        if len(given) != 1:
            said = " and ".join(given) or "none of them"
            raise ValueError(f"give exactly one of user, history, users and histories, not {said}")
        return self


class RecommendQuery(Asked):
    """One user by name."""

    model_config = ConfigDict(strict=False)

    user: Name = Field(description="a user of the table of histories, or of events")
    within: Name | None = Field(None, description="named part of the catalogue")
    where: list[Condition] = Field([], max_length=MAX_CONDITIONS, description="conditions; may be given repeatedly")

    def body(self) -> RecommendBody:
        """The same as a body."""
        return RecommendBody.model_construct(**dict(self))


class Recommended(BaseModel):
    """One item of a list."""

    item_id: str
    rank: int = Field(description="from 1")
    score: float = Field(description="log-probability, and what priors and words added")
    title: str
    semantic_id: list[int] | None
    fields: dict[str, Any] | None = None
    parts: dict[str, float] | None = Field(None, description="what each part added to the score; asked for by explain")
    levels: list[float] | None = Field(None, description="what each code added to the part of the network")


class Note(BaseModel):
    """Something that the caller should know, though the request was answered."""

    code: Literal["unknown_items", "unknown_user", "fewer_than_k", "empty_history", "no_effect"]
    message: str
    where: str
    items: list[str] | None = Field(None, description="item ids that are meant, at most twenty")


class Answer(BaseModel):
    """What every answer says of itself."""

    model_config = ConfigDict(protected_namespaces=())

    model: str
    version: int
    index_version: str
    took_ms: float
    notes: list[Note]


class OneList(Answer):
    """The answer for one user."""

    items: list[Recommended]


class OfUser(BaseModel):
    """The list of one of many users."""

    user: str | None = Field(description="null where a history was given")
    items: list[Recommended]
    notes: list[Note]


class ManyLists(Answer):
    """The answer for many users, in their order; notes are of the whole request."""

    results: list[OfUser]


class EventsBody(Body):
    """What a user did now."""

    user: Name
    items: Annotated[list[Name], Field(min_length=1, max_length=MAX_HISTORY)] = Field(description="oldest first")


class EventsAnswer(BaseModel):
    """What is known of the user now."""

    user: str
    remembered: int = Field(description="events of this user in memory")


class ItemCard(BaseModel):
    """An item."""

    item_id: str
    title: str
    semantic_id: list[int] | None
    fields: dict[str, Any] | None = None


class OneItem(ItemCard):
    """An item of a version."""

    model_config = ConfigDict(protected_namespaces=())

    model: str
    index_version: str


class FoundItems(BaseModel):
    """Items that a query found."""

    model_config = ConfigDict(protected_namespaces=())

    items: list[ItemCard]
    total: int
    model: str
    index_version: str


class Child(BaseModel):
    """A code that may follow a prefix."""

    code: int
    items: int = Field(description="items below it")
    example: str = Field(description="title of one of them")


class PrefixAnswer(BaseModel):
    """A place in the tree of codes."""

    model_config = ConfigDict(protected_namespaces=())

    prefix: list[int]
    total: int = Field(description="items below the prefix")
    children: list[Child]
    items: list[ItemCard] = Field(description="the first of them")
    model: str
    index_version: str


class AdminBody(Body):
    """Which model."""

    model: Name | None = Field(None, description="the first one where nothing is said")


class RollBackBody(AdminBody):
    """Which model, and which version of it."""

    version: int | None = Field(
        None, ge=1, le=1 << 31, description="the one before the current one where nothing is said"
    )


class AdminAnswer(BaseModel):
    """Which version is current now."""

    model_config = ConfigDict(protected_namespaces=())

    model: str
    result: Literal["swapped", "unchanged", "rolled-back"]
    version: int
    index_version: str
    items: int
    took_ms: float


class Fault(BaseModel):
    """One thing that is wrong."""

    loc: list[str | int] = Field(description="where: body or query, and the field")
    msg: str
    type: str


class Refused(BaseModel):
    """Why a request was not answered."""

    detail: list[Fault]
