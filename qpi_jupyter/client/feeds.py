"""Calendar feeds: what other calendar programs subscribe to."""

from __future__ import annotations

from datetime import UTC, datetime

from qpi_jupyter.wire.bookings import FeedIn, FeedList, FeedModel

from . import times
from .http import Http, path
from .portal import both
from .tables import ModelTable


class NewFeed:
    """A feed that was just made. ``.url`` has its address; no repr shows it, so that no notebook saves it."""

    def __init__(self, model: FeedModel) -> None:
        self.id = model.id
        self.qpu = model.qpu
        self.url = model.url or ""

    def __repr__(self) -> str:
        return f"<Feed {self.id} of {_whose(self.qpu)}: .url has its address, in this kernel only>"


class FeedTable(ModelTable[FeedModel]):
    """Calendar feeds, without their addresses."""

    caption = "Calendar feeds"
    empty = "No calendar feeds: lab.feeds.create() makes one."
    columns = ("id", "of", "made", "last read")

    def row(self, item: FeedModel) -> tuple[str, ...]:
        now = datetime.now(UTC)
        read = "never" if item.used_at is None else times.stamp(item.used_at, now)
        return item.id, _whose(item.qpu), times.stamp(item.created_at, now), read


class Feeds:
    """Your calendar feeds: ``create``, ``list``, ``revoke``; other calendar programs subscribe to them."""

    def __init__(self, http: Http) -> None:
        self.http = http

    @both
    async def create(self, qpu: str | None = None) -> NewFeed:
        """Make a feed of your own bookings and those that you are invited to, or of everything on a QPU.

        Whoever has its ``url`` can read it; only this answer has it.
        """
        model = await self.http.call("POST", "v1/feeds", FeedModel, body=FeedIn(qpu=qpu), once=True)
        return NewFeed(model)

    @both
    async def list(self) -> FeedTable:
        """All of them, and when each was read last."""
        return FeedTable((await self.http.call("GET", "v1/feeds", FeedList)).feeds)

    @both
    async def revoke(self, feed: str | NewFeed | FeedModel) -> FeedTable:
        """End a feed's address, by its id; gives those that are left."""
        feed_id = feed if isinstance(feed, str) else feed.id
        return FeedTable((await self.http.call("DELETE", f"v1/feeds/{path(feed_id)}", FeedList)).feeds)

    def __repr__(self) -> str:
        return repr(self.list())

    def _repr_html_(self) -> str:
        return self.list()._repr_html_()


def _whose(qpu: str | None) -> str:
    return "your bookings" if qpu is None else qpu
