"""The providers that are known by their host, one row each.

Names are those of the GenAI conventions (``gen_ai.provider.name``) where they have one, else the vendor's own word in lower case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from otel_llm.errors import ConfigurationError

#: Environment variable with further hosts: ``llm.internal=openai,10.0.0.5:8080=openrouter,*.corp=azure.ai.openai``.
PROVIDER_HOSTS_VARIABLE: Final = "OTEL_LLM_PROVIDER_HOSTS"


@dataclass(frozen=True, slots=True)
class Provider:
    """Who is called. A host is a name, ``name:port``, ``*:port``, or a name with one ``*`` for any text (``*.openai.azure.com``)."""

    name: str
    hosts: tuple[str, ...]


PROVIDERS: Final = (
    Provider("openai", ("api.openai.com", "*.api.openai.com")),
    Provider("anthropic", ("api.anthropic.com",)),
    Provider("openrouter", ("openrouter.ai", "*.openrouter.ai")),
    Provider("deepseek", ("api.deepseek.com",)),
    Provider("groq", ("api.groq.com",)),
    Provider("x_ai", ("api.x.ai", "*.api.x.ai")),
    Provider("mistral_ai", ("api.mistral.ai", "codestral.mistral.ai")),
    Provider("gcp.gemini", ("generativelanguage.googleapis.com",)),
    Provider("gcp.vertex_ai", ("aiplatform.googleapis.com", "*-aiplatform.googleapis.com")),
    Provider("azure.ai.openai", ("*.openai.azure.com", "*.cognitiveservices.azure.com")),
    Provider("azure.ai.inference", ("*.models.ai.azure.com", "*.services.ai.azure.com")),
    Provider("aws.bedrock", ("bedrock-runtime.*.amazonaws.com", "bedrock-mantle.*.api.aws")),
    Provider("voyageai", ("api.voyageai.com",)),
    Provider("cohere", ("api.cohere.com", "api.cohere.ai")),
    Provider("perplexity", ("api.perplexity.ai",)),
    Provider("moonshot_ai", ("api.moonshot.ai", "api.moonshot.cn")),
    Provider("ollama", ("ollama.com", "*:11434")),
    Provider("together", ("api.together.ai", "api.together.xyz")),
    Provider("cerebras", ("api.cerebras.ai",)),
    Provider("fireworks", ("api.fireworks.ai",)),
    Provider("alibaba", ("dashscope.aliyuncs.com", "dashscope-*.aliyuncs.com")),
    Provider("huggingface", ("router.huggingface.co", "api-inference.huggingface.co", "*.endpoints.huggingface.cloud")),
    Provider("zai", ("api.z.ai", "open.bigmodel.cn")),
    Provider("snowflake", ("*.snowflakecomputing.com",)),
    Provider("portkey", ("api.portkey.ai",)),
    Provider("crusoe", ("api.inference.crusoecloud.com",)),
    Provider("writer", ("api.writer.com",)),
)

_HOST: Final = re.compile(r"(?P<name>[a-z0-9_.*-]+|\[[0-9a-f:.]+\])(:(?P<port>\d{1,5}))?")
_PROVIDER_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]*")


def parse_provider_hosts(text: str) -> dict[str, str]:
    """Host to provider name, from ``host=provider`` pairs separated by commas (``PROVIDER_HOSTS_VARIABLE``).

    Any provider name may be given, also one that is not in the table. Raises ConfigurationError naming every fault.
    """
    hosts: dict[str, str] = {}
    faults: list[str] = []
    for pair in filter(None, (entry.strip() for entry in text.split(","))):
        host, _, name = (side.strip().lower() for side in pair.partition("="))
        if fault := _fault(host, name) or (f"is given twice, also as {hosts[host]!r}" if host in hosts else None):
            shown = pair.rpartition("@")[2]  # never the credentials of a URL that was pasted here
            faults.append(f"{PROVIDER_HOSTS_VARIABLE}: {shown!r} {fault}")
        else:
            hosts[host] = name
    if faults:
        raise ConfigurationError(faults)
    return hosts


def _fault(host: str, name: str) -> str | None:
    found = _HOST.fullmatch(host)
    if not (host and name):
        return "is not of the form host=provider"
    if found is None or found["name"].count("*") > 1:
        return "does not begin with a host: write name, name:port or *.suffix, without scheme and path"
    if found["port"] is not None and not 1 <= int(found["port"]) <= 65535:
        return "has a port that does not exist"
    if not _PROVIDER_NAME.fullmatch(name):
        return "does not end with a provider's name, such as openai or azure.ai.openai"
    return None
