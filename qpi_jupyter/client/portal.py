"""One implementation, two ways to call it: coroutines on a private loop, and blocking calls derived from them.

A kernel's own loop is blocked while a cell runs, so the client brings its own: a `Portal`. A method written as
``@both async def`` is called plainly to block (``job.wait()``) or as ``await job.wait.aio()`` from any event loop.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Portal:
    """An event loop on a thread of its own; `close` ends both."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="qpi-client", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    def start(self, work: Coroutine[Any, Any, R]) -> Future[R]:
        """Begin ``work`` on the portal's loop."""
        if self._loop.is_closed() or not self._thread.is_alive():
            work.close()
            raise RuntimeError("This connection is closed: call qpi_jupyter.connect() again.")
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Block until ``work`` is done; interrupting the caller cancels the work."""
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("A blocking call inside the client's own loop: use the .aio form.")
        future = self.start(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Cancel what still runs and end the thread; calling it twice does no harm."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            if threading.current_thread() is not self._thread:
                self._thread.join()


class HasPortal(Protocol):
    """A connection, and the loop that it lives on."""

    @property
    def portal(self) -> Portal: ...


class Connected(Protocol):
    """Whoever owns methods of `both` kinds."""

    @property
    def http(self) -> HasPortal: ...


S = TypeVar("S", bound=Connected)


class Bound(Generic[P, R_co]):
    """A method of an object: call it to block, or await its `aio`."""

    def __init__(self, portal: Portal, method: Callable[P, Coroutine[Any, Any, R_co]]) -> None:
        self._portal = portal
        self._method = method
        functools.update_wrapper(self, method)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        return self._portal.run(self._method(*args, **kwargs))

    async def aio(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """The same, awaitable on any event loop."""
        return await asyncio.wrap_future(self._portal.start(self._method(*args, **kwargs)))


class both(Generic[S, P, R_co]):
    """Make a coroutine method callable both ways: blocking, or awaitable as ``.aio``."""

    def __init__(self, method: Callable[Concatenate[S, P], Coroutine[Any, Any, R_co]]) -> None:
        self._method = method
        functools.update_wrapper(self, method)  # type: ignore[arg-type]  # a descriptor, called through __get__

    @overload
    def __get__(self, instance: None, owner: type[S]) -> both[S, P, R_co]: ...
    @overload
    def __get__(self, instance: S, owner: type[S]) -> Bound[P, R_co]: ...
    def __get__(self, instance: S | None, owner: type[S]) -> both[S, P, R_co] | Bound[P, R_co]:
        if instance is None:
            return self
        return Bound(instance.http.portal, MethodType(self._method, instance))

    def of(self, part: str) -> both[Any, P, R_co]:
        """The same call for the owner of a ``part`` that has this one: signature and docstring stay."""

        @functools.wraps(self._method)
        async def call(whole: Any, /, *args: P.args, **kwargs: P.kwargs) -> R_co:
            return await self._method(getattr(whole, part), *args, **kwargs)

        return both(call)
