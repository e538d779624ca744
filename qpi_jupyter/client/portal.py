"""One implementation, two ways to call it: coroutines on a private loop, and blocking calls derived from them.

A kernel's own loop is blocked while a cell runs, so the client brings its own: a `Portal`. A method written as
``@both async def`` is called plainly to block (``job.wait()``) or as ``await job.wait.aio()`` from any event loop.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from functools import cached_property, partial
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

from . import calling

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
_TURN_S = 0.2
"""How often a loop that waits for an answer looks around."""


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

    def run(self, work: Coroutine[Any, Any, R], meanwhile: Callable[[Future[Any]], object] | None = None) -> R:
        """Block until ``work`` is done; interrupting the caller cancels the work.

        ``meanwhile`` is called on the caller's own thread, and returns when the work is done or before.
        """
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("A blocking call inside the client's own loop: use the .aio form.")
        future = self.start(work)
        try:
            if meanwhile is not None:
                meanwhile(future)
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
S_contra = TypeVar("S_contra", bound=Connected, contravariant=True)


class Bound(Protocol[P, R_co]):
    """A method of an object: call it to block, or await its `aio`."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    async def aio(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """The same, awaitable on any event loop."""


class Unbound(Protocol[S_contra, P, R_co]):
    """The method as its class has it."""

    def __call__(self, instance: S_contra, /, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
    def of(self, part: str) -> both[Any, P, R_co]:
        """The same call for the owner of a ``part`` that has this one."""


class both(Generic[S, P, R_co]):
    """Make a coroutine method callable both ways: blocking, or awaitable as ``.aio``.

    Either is a function with the method's own signature and docstring, for Shift-Tab and completion. What the blocking
    one raises has no frames of the client's inside; a wrong argument and an interrupted wait are told in one line.
    """

    def __init__(self, method: Callable[Concatenate[S, P], Coroutine[Any, Any, R_co]], part: str | None = None) -> None:
        self._method, self._part = method, part
        self.__doc__ = method.__doc__

    @cached_property
    def _signature(self) -> inspect.Signature:
        return calling.plain(inspect.signature(self._method))

    @cached_property
    def _bound_signature(self) -> inspect.Signature:
        _, *parameters = self._signature.parameters.values()
        return self._signature.replace(parameters=parameters)

    @overload
    def __get__(self, instance: None, owner: type[S]) -> Unbound[S, P, R_co]: ...
    @overload
    def __get__(self, instance: S, owner: type[S]) -> Bound[P, R_co]: ...
    def __get__(self, instance: S | None, owner: type[S]) -> Unbound[S, P, R_co] | Bound[P, R_co]:
        return self._unbound() if instance is None else self._bound(instance)

    def _unbound(self) -> Unbound[S, P, R_co]:
        @functools.wraps(self._method)
        def call(instance: S, /, *args: P.args, **kwargs: P.kwargs) -> R_co:
            return self._bound(instance)(*args, **kwargs)

        found: Unbound[S, P, R_co] = _dressed(call, __signature__=self._signature, of=partial(both, self._method))
        return found

    def _bound(self, instance: S) -> Bound[P, R_co]:
        portal = instance.http.portal
        owner = instance if self._part is None else getattr(instance, self._part)
        method = MethodType(self._method, owner)

        def begin(args: Any, kwargs: Any) -> Coroutine[Any, Any, R_co]:
            # A coroutine does nothing yet: what is raised here is about the arguments.
            try:
                work: Coroutine[Any, Any, R_co] = method(*args, **kwargs)
            except TypeError as error:
                raise calling.wrong_call(method.__name__, error, self._bound_signature, kwargs) from None
            return work

        @functools.wraps(method)
        def call(*args: P.args, **kwargs: P.kwargs) -> R_co:
            try:
                return portal.run(begin(args, kwargs), calling.meanwhile(owner, method.__name__))
            except KeyboardInterrupt as interrupt:
                raise calling.interrupted(interrupt, owner, method.__name__) from None
            except Exception as error:
                raise calling.without_frames(error) from error.__cause__

        @functools.wraps(method)
        async def aio(*args: P.args, **kwargs: P.kwargs) -> R_co:
            work = portal.start(begin(args, kwargs))
            if (meanwhile := calling.meanwhile(owner, method.__name__)) is not None:
                meanwhile(None)
            future = asyncio.wrap_future(work)
            try:
                # A kernel's loop that sleeps does not notice an interrupt until something wakes it.
                while not future.done():
                    await asyncio.wait([future], timeout=_TURN_S)
            except asyncio.CancelledError as cancelled:
                future.cancel()
                raise calling.interrupted(cancelled, owner, method.__name__) from None
            try:
                return future.result()
            except Exception as error:
                raise calling.without_frames(error) from error.__cause__

        shape = self._bound_signature
        found: Bound[P, R_co] = _dressed(call, __signature__=shape, aio=_dressed(aio, __signature__=shape))
        return found


def _dressed(function: Callable[..., Any], **attributes: object) -> Any:
    """The function with these attributes."""
    vars(function).update(attributes)
    return function
