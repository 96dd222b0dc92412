"""Commands that refuse an option given twice, where click would silently take the last one."""

from __future__ import annotations

from collections import Counter
from typing import Any

import typer.core

__all__ = ["OnceCommand"]


class OnceCommand(typer.core.TyperCommand):
    """A command whose options that take one value are given at most once."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments."""
        if not ctx.resilient_parsing:
            # the parser alone knows "-b8", "--sizes=8" and "--no-fold" as what they are
            _, _, order = self.make_parser(ctx).parse_args(args=list(args))
            for param, times in Counter(order).items():
                if times > 1 and param.param_type_name == "option" and not param.multiple:
                    ctx.fail(f"{' / '.join((*param.opts, *param.secondary_opts))} is given {times} times")
        return super().parse_args(ctx, args)
