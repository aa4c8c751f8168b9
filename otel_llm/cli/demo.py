"""``otel-llm demo``: a pipeline of agents, its calls in Langfuse's form and as legacy rows, and both compared."""

from __future__ import annotations

import json
import logging
import sys

import click

from otel_llm.errors import ConfigurationError, OtelLLMError


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def demo(as_json: bool) -> None:
    """Run a support pipeline of agents and show what is recorded of it.

    Without keys it talks to stand-ins on this machine: LLM vendors, Langfuse, and SQLite for the legacy tables. It uses the real
    ones as far as these variables are set: OPENROUTER_API_KEY; LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY and LANGFUSE_BASE_URL;
    INSFORGE_BASE_URL and INSFORGE_API_KEY, or OTEL_LLM_LEGACY_DATABASE_URL.

    Exit status: 0 if everything was delivered and both destinations agree, 1 if not, 2 if the settings are wrong.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        from otel_llm.cli.demo_report import report, show, succeeded
        from otel_llm.demo.run import demonstrate

        demonstration = demonstrate()
    except ModuleNotFoundError as error:
        click.echo(f"The demonstration needs {error.name}. Install it with: pip install 'otel-llm[demo]'", err=True)
        sys.exit(2)
    except ConfigurationError as error:
        click.echo(f"The settings in the environment are wrong:\n{error}", err=True)
        sys.exit(2)
    except OtelLLMError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
    result = report(demonstration)
    if as_json:
        click.echo(json.dumps(result, indent=2))
    else:
        show(demonstration, result)
    sys.exit(0 if succeeded(demonstration) else 1)
