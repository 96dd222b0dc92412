"""What every command does alike: help like a manual page, options given once, errors in the words of the command line.

The help of a command is its docstring. Its sections ``Examples`` and ``Exit codes`` come after the options, each line
as it is written; a test runs every example. Options are printed under the heading that ``rich_help_panel`` names. Rich
itself does not print the help: its boxes and colours would make what is piped, logged or searched harder to read.
"""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from typing import Any

import typer
import typer.core

from supernode.cli.headings import ORDER
from supernode.cli.words import in_cli_words, speaking
from supernode.errors import SupernodeError

__all__ = ["Command", "sections"]

_HEADING = re.compile(r"^(\w[\w ]*)\n-+$", flags=re.MULTILINE)
#: So few arguments and options need no headings.
_FEW = 10
#: Lines of the section that every command has; ``{}`` is what makes it fail.
_CODES = (
    "0    success",
    "1    {}",
    "2    wrong usage: an option, a name, a value or a file is not valid",
    "130  interrupted",
)
#: What fails where a command says nothing else.
_FAILS = "the output could not be written"


def sections(text: str) -> dict[str, str]:
    """Return the sections of a docstring by heading; what is before the first one has no name."""
    parts = _HEADING.split(text)
    return {
        "": parts[0].strip(),
        **{name: body.strip("\n") for name, body in zip(parts[1::2], parts[2::2], strict=True)},
    }


class Command(typer.core.TyperCommand):
    """A command of ``supernode``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; an option of one value that is given twice is an error, where click takes the last."""
        ctx.meta["supernode.args"] = list(args)
        if not ctx.resilient_parsing:
            # the parser alone knows "-b8", "--sizes=8" and "--no-fold" as what they are
            _, _, order = self.make_parser(ctx).parse_args(args=list(args))
            for param, times in Counter(order).items():
                if times > 1 and param.param_type_name == "option" and not param.multiple:
                    ctx.fail(f"{' / '.join((*param.opts, *param.secondary_opts))} is given {times} times")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; its errors name options, and Ctrl-C or a reader that has gone end it quietly."""
        with speaking(self.params, ctx.meta["supernode.args"]):
            try:
                return super().invoke(ctx)
            except SupernodeError as error:
                sys.stderr.write(f"error: {in_cli_words(str(error))}\n")
                raise typer.Exit(error.exit_code) from None
            except KeyboardInterrupt:
                sys.stderr.write("interrupted\n")
                raise typer.Exit(130) from None
            except BrokenPipeError:
                # as in "supernode show nvl72 | head"
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                raise typer.Exit(0) from None

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write what comes before the first section."""
        del ctx
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(sections(self.help or "")[""])

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, options by heading, and the sections of the docstring."""
        groups: dict[str, list[tuple[str, str]]] = {title: [] for title in ORDER}
        shown = [(param, param.get_help_record(ctx)) for param in self.get_params(ctx)]
        many = len([param for param, record in shown if record]) > _FEW
        for param, record in shown:
            if record is not None:
                usual = "Arguments" if param.param_type_name == "argument" else "Options"
                heading = getattr(param, "rich_help_panel", None) if many else None
                groups[heading or usual].append(record)
        for title, records in groups.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)
        found = sections(self.help or "")
        _lines(formatter, "Examples", found.get("Examples", "").splitlines())
        fails = found.get("Exit codes", _FAILS).strip()
        _lines(formatter, "Exit codes", [line.format(fails) for line in _CODES])


def _lines(formatter: Any, title: str, lines: list[str]) -> None:
    """Write lines as they are; broken, an example would be no command any more."""
    if lines:
        formatter.write(f"\n{title}:\n")
        formatter.write("".join(f"  {line}".rstrip() + "\n" for line in lines))
