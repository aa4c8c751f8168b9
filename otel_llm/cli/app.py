"""The command ``otel-llm`` and its subcommands."""

from __future__ import annotations

import click

from otel_llm.cli.demo import demo
from otel_llm.cli.doctor import doctor
from otel_llm.cli.models import models
from otel_llm.cli.spool import spool
from otel_llm.cli.traces import traces
from otel_llm.version import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__)
def app() -> None:
    """Tracing of LLM calls, recorded on the wire.

    Start with `otel-llm demo`: it needs no account and no key.
    """


app.add_command(demo)
app.add_command(doctor)
app.add_command(models)
app.add_command(spool)
app.add_command(traces)
