"""The exceptions that a user of otel-llm can meet.

::

    OtelLLMError
    ├── ConfigurationError      a setting is missing or wrong; raised at start, names every fault at once
    ├── MissingExtraError       an optional dependency is needed; says what to install
    ├── DeliveryError           a destination refused or could not be reached (raised by explicit calls only,
    │                           never out of recording or exporting)
    └── LLMError                a call made through ``otel_llm.LLM`` failed
        ├── AuthenticationError     the key is wrong, or may not do this
        ├── QuotaError              nothing is left to pay with
        ├── ModelNotFoundError      the provider has no such model
        ├── RequestRefusedError     too long, against a policy, or not understood: the same again will not do
        ├── RateLimitError          too many requests; ``retry_after_s``
        ├── ProviderError           the provider is failing or overloaded, or its answer cannot be read
        ├── NoConnectionError       the network failed, or the answer broke off
        ├── DeadlineError           no answer in time
        ├── OutputError             the answer is not what ``json=`` asked for, nor was it when asked again
        └── QuorumError             too few models of a swarm answered

Nothing here is ever raised into an LLM call that the application makes by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class OtelLLMError(Exception):
    """Base of all errors raised by otel-llm."""


class ConfigurationError(OtelLLMError):
    """Settings are missing or wrong; ``faults`` lists each of them, one line each."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(f"- {fault}" for fault in self.faults))


class MissingExtraError(OtelLLMError):
    """An optional dependency is needed for what was asked."""

    def __init__(self, what: str, install: str) -> None:
        self.install = install
        super().__init__(f"{what} needs an optional dependency. Install it with: {install}")


class DeliveryError(OtelLLMError):
    """A destination refused a request or could not be reached."""


class LLMError(OtelLLMError):
    """A call of a model failed. Messages hold the provider's own words, and never a key."""

    def __init__(
        self,
        message: str,
        *,
        model: str,
        category: str,
        status: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        #: ``provider:model``.
        self.model = model
        #: A word of ``otel_llm.error.category``.
        self.category = category
        #: Of the HTTP response; None if there was none.
        self.status = status
        #: How long the provider asks to wait; None if it does not say.
        self.retry_after_s = retry_after_s
        super().__init__(f"{model}: {message}")


class AuthenticationError(LLMError):
    """The key is wrong, or may not do this."""


class QuotaError(LLMError):
    """Nothing is left to pay with."""


class ModelNotFoundError(LLMError):
    """The provider has no such model."""


class RequestRefusedError(LLMError):
    """The request is too long, against a policy, or not understood; ``category`` says which."""


class RateLimitError(LLMError):
    """Too many requests, also after waiting as long as the deadline allows."""


class ProviderError(LLMError):
    """The provider is failing or overloaded, or its answer cannot be read."""


class NoConnectionError(LLMError):
    """The network failed, or the answer broke off."""


class DeadlineError(LLMError):
    """No answer in time."""


class OutputError(LLMError):
    """The answer is not what ``json=`` asked for; ``text`` is what came."""

    def __init__(self, faults: str, *, model: str, text: str) -> None:
        #: What is wrong, place by place, without the values.
        self.faults = faults
        self.text = text
        super().__init__(f"the answer does not fit: {faults}", model=model, category="invalid_output")


class QuorumError(LLMError):
    """Too few models of a swarm answered; ``errors`` holds what went wrong with the others, by ``provider:model``."""

    def __init__(self, message: str, *, model: str, errors: Mapping[str, Exception]) -> None:
        self.errors = dict(errors)
        super().__init__(message, model=model, category="quorum")
