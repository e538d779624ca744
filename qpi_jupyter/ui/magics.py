"""The magics about jobs and QPUs: the thinnest skins over the client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError
from IPython.core.magic import line_cell_magic, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments

from qpi_jupyter.core import NotFound

from .arguments import (
    LabMagics,
    identifier,
    job_id,
    label_arguments,
    labels,
    mistakes_are_usage_errors,
    nothing,
    number,
    pair,
    parsed,
    unquoted,
    words_of,
)
from .cells import circuits_of_cell, circuits_of_expression
from .loops import running_loop

if TYPE_CHECKING:
    from qpi_jupyter.client import JobHandle, JobTable, Lab, Plan, Preview, QpuTable, ServiceTable
    from qpi_jupyter.client.ibm_kernel import RuntimeSwitch


@magics_class
class QpiMagics(LabMagics):
    """``%%qpi_submit`` and its sisters; each describes itself with a question mark."""

    @magic_arguments()
    @argument("expression", nargs="*", metavar="CIRCUIT", help="as %%qpi_submit: an expression that gives the circuits")
    @argument("--qpu", metavar="NAME", help="the QPU to run on (%%qpi_qpus lists them); else a simulator that fits")
    @argument("--shots", metavar="N", help="repetitions of each circuit (default 1024)")
    @argument("--seed-simulator", "--seed", metavar="N", help="makes a simulator's counts repeatable")
    @argument("--meas-level", choices=("0", "1", "2"), help="2: bits (default), 1: IQ points, 0: traces")
    @argument("--meas-return", choices=("single", "avg"), help="every shot (default), or their average")
    @argument(
        "--parameter-values",
        "--parameters",
        metavar="EXPR",
        help="numbers for the circuit's parameters: a row, a list of rows, a dict, or one parameter's values",
    )
    @argument("--option", metavar="KEY=VALUE", action="append", default=[], help="an option of the QPU's own")
    @argument("--circuit", metavar="EXPR", help="in a Python cell: what to submit, instead of its last expression")
    @argument("--format", metavar="NAME", help="the cell is a program in this format, as it stands")
    @argument("--to", metavar="NAME", help="the variable that receives the Dataset when the job is finished")
    @argument("--job", metavar="NAME", help="the variable that receives the job at once")
    @argument("--name", help="a name for the job")
    @argument("--tag", action="append", default=[], help="a tag for the job; may be repeated")
    @label_arguments
    @argument("--group", metavar="NAME", help="a group of yours whose account pays")
    @argument("--share-with", metavar="GROUP", help="a group of yours that may see the job")
    @argument("--priority", metavar="N", help="-10 to 10, the higher goes first (default 0); over 0 is for managers")
    @argument(
        "--after",
        metavar="JOB",
        action="append",
        default=[],
        help="a job (its variable or id) that has to complete first; may be repeated",
    )
    @argument("--retry-safe", action="store_true", help="an instrument may repeat it in doubt")
    @argument("--wait", action="store_true", help="let the cell last until the job has ended")
    @line_cell_magic
    def qpi_submit(self, line: str, cell: str | None = None) -> JobHandle | None:
        """Submit the cell's circuit to the lab, and watch it run.

        The cell is OpenQASM 2 or 3, or Python whose last expression is a circuit or a list of circuits::

            %%qpi_submit --qpu sim-a --shots 2000 --to ds
            OPENQASM 3.0;
            ...

        As a line magic it takes an expression: ``job = %qpi_submit bell --qpu sim-a``. It returns at once with a live
        view. ``ds`` is bound when the job has ended; ``%qpi_wait ds`` waits for it, ``--wait`` keeps the cell.
        """
        args = parsed(self.qpi_submit, line)
        args.to, args.job = identifier("--to", args.to), identifier("--job", args.job)
        circuits = self._circuits(args, cell)
        with mistakes_are_usage_errors(_texts(circuits)):
            job = self._lab().submit(circuits, **self._options(args))
        return self._deliver(job, args, shown=cell is not None)

    @magic_arguments()
    @argument("expression", nargs="*", metavar="CIRCUIT", help="an expression that gives the circuits")
    @argument("--qpu", metavar="NAME", help="the QPU to preview on (%%qpi_qpus lists them)")
    @argument("--shots", metavar="N", help="repetitions of each circuit, for the estimate (default 1024)")
    @argument("--parameter-values", "--parameters", metavar="EXPR", help="as in %%qpi_submit")
    @argument("--option", metavar="KEY=VALUE", action="append", default=[], help="an option of the QPU's own")
    @argument("--circuit", metavar="EXPR", help="in a Python cell: what to preview, instead of its last expression")
    @argument("--format", metavar="NAME", help="the cell is a program in this format, as it stands")
    @argument("--group", metavar="NAME", help="a group of yours whose account would pay")
    @line_cell_magic
    def qpi_preview(self, line: str, cell: str | None = None) -> Preview:
        """Show what a circuit becomes on a QPU before it runs: native gates, pulses, time and cost.

        It takes what %%qpi_submit takes, and costs no QPU time: ``%qpi_preview bell --qpu q1``.
        """
        args = parsed(self.qpi_preview, line)
        if not (qpu := unquoted(args.qpu)):
            raise UsageError("Which QPU? Add --qpu NAME; %qpi_qpus lists them.")
        circuits = self._circuits(args, cell, "%qpi_preview")
        given = {
            "shots": number("--shots", args.shots), "format": unquoted(args.format), "group": unquoted(args.group),
            "parameter_values": self._value("--parameter-values", unquoted(args.parameter_values)),
        }  # fmt: skip
        own = dict(pair(item) for item in args.option)
        with mistakes_are_usage_errors(_texts(circuits)):
            return self._lab().preview(circuits, qpu=qpu, **{k: v for k, v in given.items() if v is not None}, **own)

    @magic_arguments()
    @argument("expression", nargs="*", metavar="CIRCUIT", help="an expression that gives the circuit")
    @argument(
        "--observable",
        metavar="PAULIS",
        action="append",
        default=[],
        help="a Pauli string such as ZZI; may be repeated",
    )
    @argument("--qpu", metavar="NAME", action="append", default=[], help="only this QPU; may be repeated")
    @argument("--shots", metavar="N", help="repetitions of every circuit that a fragment runs (default 1024)")
    @argument("--min-fidelity", metavar="F", help="the least estimated success probability of each fragment, 0 to 1")
    @argument("--max-overhead", metavar="N", help="how many times the shots a cut circuit may cost (default 81)")
    @argument("--seed", metavar="N", help="of transpiling and of the search for cuts (default 0)")
    @argument("--circuit", metavar="EXPR", help="in a Python cell: what to plan, instead of its last expression")
    @argument("--format", metavar="NAME", help="the cell is a program in this format, as it stands")
    @line_cell_magic
    def qpi_plan(self, line: str, cell: str | None = None) -> Plan:
        """Show how one circuit would run on several QPUs: whole, in components, or cut, with costs and alternatives.

        Nothing runs: ``plan = %qpi_plan ghz --observable ZZIIIIII --qpu q1 --qpu q2``, or above a cell as %%qpi_submit.
        """
        args = parsed(self.qpi_plan, line)
        circuit = self._circuits(args, cell, "%qpi_plan")
        given: dict[str, Any] = {
            "observables": [unquoted(one) for one in args.observable] or None,
            "qpus": [unquoted(one) for one in args.qpu] or None,
            "shots": number("--shots", args.shots), "seed": number("--seed", args.seed),
            "min_fidelity": number("--min-fidelity", args.min_fidelity, float),
            "max_overhead": number("--max-overhead", args.max_overhead, float), "format": unquoted(args.format),
        }  # fmt: skip
        with mistakes_are_usage_errors(_texts(circuit)):
            return self._lab().plan(circuit, **{k: v for k, v in given.items() if v is not None})

    def _circuits(self, args: Any, cell: str | None, magic: str = "%qpi_submit") -> Any:
        expression = " ".join(args.expression)
        if cell is not None:
            if expression:
                raise UsageError(f"What is {expression!r}? Options begin with --; {magic}? lists them.")
            if args.format is not None:
                return cell
            return circuits_of_cell(self.shell, cell, unquoted(args.circuit))
        expression = expression or unquoted(args.circuit) or ""
        if not expression:
            raise UsageError(f"Which circuit? Write {magic} CIRCUIT, or %{magic} above a cell.")
        return circuits_of_expression(self.shell, expression)

    def _options(self, args: Any) -> dict[str, Any]:
        given = {
            "qpu": unquoted(args.qpu),
            "shots": number("--shots", args.shots),
            "seed_simulator": number("--seed-simulator", args.seed_simulator),
            "meas_level": number("--meas-level", args.meas_level),
            "meas_return": args.meas_return,
            "priority": number("--priority", args.priority),
            "format": unquoted(args.format),
            "name": unquoted(args.name),
            "tags": [unquoted(tag) for tag in args.tag] or None,
            "group": unquoted(args.group),
            "shared_with": unquoted(args.share_with),
            "after": [job for word in args.after for job in self._jobs("--after", unquoted(word) or "")] or None,
            "retry_safe": args.retry_safe or None,
            "parameter_values": self._value("--parameter-values", unquoted(args.parameter_values)),
            **labels(args),
        }
        own = dict(pair(item) for item in args.option)
        return {name: value for name, value in given.items() if value is not None} | own

    def _jobs(self, option: str, word: str) -> list[JobHandle | str]:
        """The jobs that a variable holds, or the id as it stands."""
        from qpi_jupyter.client import JobHandle

        if word not in self.shell.user_ns:
            return [word]
        value = self.shell.user_ns[word]
        held = [getattr(item, "job", item) for item in (value if isinstance(value, list | tuple) else [value])]
        jobs: list[JobHandle | str] = [job for job in held if isinstance(job, JobHandle)]
        if not jobs or len(jobs) < len(held):
            raise UsageError(f"{option} {word}: that holds no job. Name the variable that --job gave, or the job's id.")
        return jobs

    def _value(self, option: str, expression: str | None) -> Any:
        if expression is None:
            return None
        try:
            return self.shell.ev(expression)
        except Exception as error:
            raise UsageError(f"{option} {expression}: {type(error).__name__}: {error}") from error

    def _deliver(self, job: JobHandle, args: Any, *, shown: bool) -> JobHandle | None:
        """Bind the names, and let the cell last where that was asked for; None where the job is shown already."""
        to, namespace = args.to, self.shell.user_ns
        if args.job:
            namespace[args.job] = job
        # In a terminal no loop runs between the cells that could bind a name later.
        if not args.wait and (to is None or running_loop()):
            return self._go_on(job, to, shown=shown)
        with mistakes_are_usage_errors(job.sources):
            try:
                if shown:
                    from .display import watch

                    watch(job)
                ended = job.wait()
            except KeyboardInterrupt as interrupt:
                from qpi_jupyter.client.calling import interrupted

                raise interrupted(interrupt, job, "wait") from None
            if (error := ended.error) is not None:
                raise error
            if to:
                namespace[to] = job.dataset()
        return None if shown else job

    def _go_on(self, job: JobHandle, to: str | None, *, shown: bool) -> JobHandle | None:
        """Return at once; the name is bound by a task."""
        from .display import in_kernel
        from .follow import bind_later, follow
        from .pending import Pending

        if to:
            bind_later(Pending(to, job), self.shell.user_ns)
        if shown and in_kernel():
            follow(job)
            return None
        return job

    @line_magic
    def qpi_qpus(self, line: str) -> QpuTable:
        """The QPUs of the lab, as a table."""
        nothing("%qpi_qpus", line)
        with mistakes_are_usage_errors():
            return self._lab().qpus()

    @magic_arguments()
    @argument("service", nargs="?", metavar="SERVICE", help="a service, as bell_pair; default: all")
    @argument("--min-fidelity", type=float, metavar="F", help="only what is at least so good, from 0 to 1")
    @argument("--availability", choices=("available", "busy", "unavailable"))
    @argument("--include-stale", action="store_true", help="also QPUs that have missed three heartbeats")
    @line_magic
    def qpi_services(self, line: str) -> ServiceTable:
        """Which QPU offers what, how good it is and how busy, as a table."""
        args = parsed(self.qpi_services, line)
        with mistakes_are_usage_errors():
            return self._lab().services(
                unquoted(args.service), min_fidelity=args.min_fidelity, availability=args.availability,
                include_stale=args.include_stale,
            )  # fmt: skip

    @magic_arguments()
    @argument("--limit", type=int, default=20, help="how many (default 20)")
    @argument("--status", choices=("pending", "running", "completed", "failed", "cancelled"))
    @argument("--qpu", metavar="NAME")
    @argument("--name", help="a part of the name")
    @argument("--tag", action="append", default=[], help="a tag; may be repeated: jobs that have all of them")
    @label_arguments
    @argument("--group", metavar="NAME", help="what is shared with a group of yours")
    @argument("--all", action="store_true", help="other people's jobs, too, where you may see them")
    @line_magic
    def qpi_jobs(self, line: str) -> JobTable:
        """Your newest jobs, as a table; its items are the jobs themselves."""
        args = parsed(self.qpi_jobs, line)
        with mistakes_are_usage_errors():
            return self._lab().jobs(
                args.limit, status=args.status, qpu=unquoted(args.qpu), name=unquoted(args.name),
                tags=[unquoted(tag) or "" for tag in args.tag], **labels(args),
                group=unquoted(args.group), mine=False if args.all else None,
            )  # fmt: skip

    @line_magic
    def qpi_job(self, line: str) -> JobHandle:
        """Find a job by its id: ``job = %qpi_job ID``. It may come from another notebook, or from before a restart.

        Without an id: the newest job that this cell submitted, in whatever kernel.
        """
        from .rendering import client

        with mistakes_are_usage_errors():
            job: JobHandle = client().job(job_id("%qpi_job", line) if line.strip() else None)
        return job

    @line_magic
    def qpi_cancel(self, line: str) -> JobHandle | JobTable:
        """Cancel jobs by their ids or variables: ``%qpi_cancel ID``. A result that is already there stays."""
        from qpi_jupyter.client import JobTable

        words = words_of("%qpi_cancel", line)
        with mistakes_are_usage_errors():
            jobs = [self._job(job) for word in words for job in self._jobs("%qpi_cancel", word)]
            cancelled = [job.cancel() for job in jobs]
        return cancelled[0] if len(cancelled) == 1 else JobTable(cancelled)

    @line_magic
    def qpi_wait(self, line: str) -> None:
        """Wait for data or jobs, by the names of their variables or the jobs' ids: ``%qpi_wait ds``.

        Where the data is there already it returns at once, so that the cell can be run again and again. Interrupting
        the kernel ends the waiting, not the job.
        """
        from qpi_jupyter.client import JobHandle

        from .pending import Pending

        namespace = self.shell.user_ns
        wanted = [(name, self._held(name)) for name in words_of("%qpi_wait", line)]
        for name, value in wanted:
            with mistakes_are_usage_errors():
                if isinstance(value, Pending):
                    namespace[name] = value.job.dataset()
                elif isinstance(value, JobHandle) and (error := value.wait().error) is not None:
                    raise error

    def _held(self, name: str) -> Any:
        """What a variable holds, or the job with this id."""
        if name in self.shell.user_ns:
            return self.shell.user_ns[name]
        with mistakes_are_usage_errors():
            try:
                return self._job(name)
            except NotFound:
                raise UsageError(f"There is no variable {name}, and no job with this id.") from None

    def _job(self, job: JobHandle | str) -> JobHandle:
        return self._lab().job(job) if isinstance(job, str) else job

    @magic_arguments()
    @argument("url", nargs="?", help="the address of JupyterLab or of `jupyter qpi`; else the lab is looked for")
    @argument("--token", nargs="?", const="", help="sign in with a token; without one it is asked for, and kept")
    @argument("--user", metavar="NAME", help="sign in with a name and a password, which is asked for")
    @argument("--fingerprint", metavar="SHA256", help="of the lab's own certificate authority, to trust it")
    @argument("--forget", metavar="LAB", help="disconnect from a lab that is kept, by its name or address")
    @argument("--ca-file", metavar="FILE", help="certificates to trust instead of the system's")
    @argument("--insecure", action="store_true", help="let the token travel over plain http to another machine")
    @line_magic
    def qpi_connect(self, line: str) -> Lab | None:
        """Connect to another lab; the magics use it from then on.

        Without a token you sign in: open the address that is shown, and allow the code there. The connection is kept
        in Jupyter's data folder, for you alone.
        """
        from qpi_jupyter.client import connect, disconnect

        args = parsed(self.qpi_connect, line)
        with mistakes_are_usage_errors():
            if args.forget is not None:
                disconnect(unquoted(args.forget) or "")
                return None
            return connect(
                unquoted(args.url), unquoted(args.token), user=unquoted(args.user),
                fingerprint=unquoted(args.fingerprint), ca_file=unquoted(args.ca_file), insecure=args.insecure,
            )  # fmt: skip

    @magic_arguments()
    @argument("switch", nargs="?", choices=("on", "off", "status"), default="status", help="status is the default")
    @line_magic
    def qpi_runtime(self, line: str) -> RuntimeSwitch:
        """Let ``QiskitRuntimeService()`` of IBM's client, with no arguments, be this lab: ``%qpi_runtime on``.

        For this kernel and what it starts, until ``%qpi_runtime off`` or the kernel's end. It makes an API token, which
        My account lists and revokes. Refused where there is an account of IBM's.
        """
        args = parsed(self.qpi_runtime, line)
        from qpi_jupyter.client import ibm_kernel

        switches = {"on": ibm_kernel.enable, "off": ibm_kernel.disable, "status": ibm_kernel.state}
        with mistakes_are_usage_errors():
            return switches[args.switch]()


def _texts(circuits: Any) -> tuple[str, ...]:
    items = circuits if isinstance(circuits, (list, tuple)) else [circuits]
    return tuple(item if isinstance(item, str) else "" for item in items)
