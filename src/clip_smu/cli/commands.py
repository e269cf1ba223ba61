"""Plain functions as typer's commands: bundles of options flat on the command line, and names of before still known."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints

import typer

OLD_NAMES = {"interpreter": "method", "i": "m", "list": "only"}  # of options, read and not shown


def commands(explanation: str, functions: Mapping[str, Callable[..., None]]) -> typer.Typer:
    """A command line of commands by their names; to be nested, or run by :func:`clip_smu.cli.ends.run`."""
    app = typer.Typer(
        help=explanation,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"token_normalize_func": lambda name: OLD_NAMES.get(name, name)},
    )
    for name, function in functions.items():
        app.command(name)(flat(function))
    return app


def flat(command: Callable[..., None]) -> Callable[..., None]:
    """The command as typer sees it: in place of each parameter that is a dataclass, the dataclass's fields."""
    bundles: dict[str, Any] = {}
    parameters: list[inspect.Parameter] = []
    hints = get_type_hints(command, include_extras=True)
    for name, parameter in inspect.signature(command).parameters.items():
        bundle = hints[name]
        if not is_dataclass(bundle):
            parameters.append(parameter.replace(annotation=bundle))
            continue
        bundles[name] = bundle
        types = get_type_hints(bundle, include_extras=True)
        for field in fields(bundle):
            default = inspect.Parameter.empty if field.default is MISSING else field.default
            parameters.append(
                inspect.Parameter(
                    field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=types[field.name]
                )
            )

    @wraps(command)
    def run(**given: Any) -> None:
        for name, bundle in bundles.items():
            given[name] = bundle(**{field.name: given.pop(field.name) for field in fields(bundle)})
        command(**given)

    del run.__wrapped__  # or typer would look at the command's own parameters
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run
