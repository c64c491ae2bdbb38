"""The command line: parse, call, print, exit code.

0 done and holds; 1 wrong input or wrong usage; 2 proven infeasible; 3 does not hold (or stopped before it was
shown to); 70 internal error.
"""

import platform
import sys
import traceback
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated

import typer

from codesign import cli_bench, cli_cards, cli_designs, cli_report, cli_schedule
from codesign.cli_output import guarded
from codesign.cli_progress import interrupted_by_sigterm
from codesign.errors import InputError, StoppedError

OK, WRONG_INPUT, INFEASIBLE, DOES_NOT_HOLD, INTERNAL = 0, 1, 2, 3, 70
DISTRIBUTION = "codesign-dc"

# typer brings its own click, older ones import it
_ClickException: type[typer.BadParameter] = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name=DISTRIBUTION, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip
cli_designs.register(app)
cli_cards.register(app)
cli_report.register(app)
cli_schedule.register(app)
cli_bench.register(app)


def _version(asked: bool) -> None:
    if asked:
        print(version())
        raise typer.Exit


@app.callback()
def _root(
    show: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Co-design of the power, cooling and schedule of a data centre for AI training."""


def version() -> str:
    """Return the distribution's name and version."""
    try:
        return f"{DISTRIBUTION} {metadata.version(DISTRIBUTION)}"
    except metadata.PackageNotFoundError:
        return f"{DISTRIBUTION}, not installed (a checkout)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; no exception leaves it."""
    with guarded():
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        with interrupted_by_sigterm():
            code = app(
                args=list(sys.argv[1:] if arguments is None else arguments),
                prog_name=DISTRIBUTION,
                standalone_mode=False,
            )
            sys.stdout.flush()
    except _ClickException as error:
        error.show()
        return WRONG_INPUT
    except InputError as error:
        print(error, file=sys.stderr)
        return WRONG_INPUT
    except OSError as error:
        if error.filename is None:
            return _internal()
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return WRONG_INPUT
    except (KeyboardInterrupt, typer.Abort, StoppedError):
        print("interrupted; nothing is saved", file=sys.stderr)
        return DOES_NOT_HOLD
    except Exception:
        return _internal()
    return code if isinstance(code, int) else OK


def _internal() -> int:
    traceback.print_exc()
    print(
        f"\nThis is an error of {DISTRIBUTION}, not of your input. Please report it in the project's issues\n"
        f"with the lines above, the command, the site's folder, and: {version()},\n"
        f"Python {platform.python_version()}, {platform.platform()}",
        file=sys.stderr,
    )
    return INTERNAL
