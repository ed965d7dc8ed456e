"""The `hatchet` command. Each noun has its own file; this one only puts them together.

Commands import what they need inside, so that `hatchet --help` stays quick.
"""

from __future__ import annotations

import sys
from typing import Annotated

try:
    import typer
except ImportError:  # the SDK alone is installed
    sys.exit("error: the command line is not installed. Try: pip install 'hatchet[server]'")

from hatchet._version import __version__
from hatchet_cli import (
    cron,
    demo,
    dev,
    events,
    output,
    pauses,
    profile,
    rate_limits,
    run,
    runs,
    scheduled,
    server,
    token,
    why,
    workers,
    workflows,
)

app = typer.Typer(
    name="hatchet",
    help="Background tasks and workflows on nothing but Postgres.\n\n"
    "Begin with `hatchet server` in one terminal; a second one then finds it by itself: "
    "`hatchet dev app:workers`, `hatchet run greet`, `hatchet runs list`.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

SERVE = "Serve"
WORK = "Work with runs"

app.command(rich_help_panel=SERVE)(server.server)
app.command(rich_help_panel=SERVE)(dev.dev)
app.command(rich_help_panel=SERVE)(demo.demo)
app.add_typer(token.app, name="token", rich_help_panel=SERVE)
app.add_typer(profile.app, name="profile", rich_help_panel=SERVE)
app.command(rich_help_panel=WORK)(run.run)
app.add_typer(runs.app, name="runs", rich_help_panel=WORK)
app.command(rich_help_panel=WORK)(why.why)
app.add_typer(events.app, name="events", rich_help_panel=WORK)
app.add_typer(cron.app, name="cron", rich_help_panel=WORK)
app.add_typer(scheduled.app, name="scheduled", rich_help_panel=WORK)
app.add_typer(workflows.app, name="workflows", rich_help_panel=WORK)
app.add_typer(workers.app, name="workers", rich_help_panel=WORK)
app.add_typer(rate_limits.app, name="rate-limits", rich_help_panel=WORK)
app.add_typer(pauses.app, name="pauses", rich_help_panel=WORK)


def _print_version(wanted: bool) -> None:
    if wanted:
        output.print_plain(f"hatchet {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Options of every command."""


def main() -> None:
    """Run the command line; the process ends here."""
    try:
        app(prog_name="hatchet")
    except output.CommandError as problem:
        output.print_problem(problem)
        sys.exit(problem.code)
    except KeyboardInterrupt:
        sys.exit(output.EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone (`hatchet runs list | head`).
        sys.stderr.close()
        sys.exit(output.EXIT_PROBLEM)


if __name__ == "__main__":
    main()
