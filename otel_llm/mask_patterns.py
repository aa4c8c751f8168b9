"""What is masked: one row for each form of secret, card number or address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["secrets", "cards", "emails"]


@dataclass(frozen=True, slots=True)
class Row:
    """A pattern and what takes the place of its matches.

    ``literal`` is in each match, so a text without it need not be searched; a pattern that begins with it is searched quickly.
    """

    name: str
    literal: str
    pattern: re.Pattern[str]
    examples: tuple[str, ...]
    kind: Kind = "secrets"
    replacement: str = "[masked]"
    #: Whether the digits must fulfil Luhn's check.
    luhn: bool = False


def _key(name: str, prefix: str, rest: str, *examples: str, inside_words: bool = False) -> Row:
    r"""A key of its vendor's prefix. It begins a word unless ``inside_words``: ``task-...`` is no ``sk-...``.

    An escape before it (``\n`` in JSON within a text) ends with a letter, too, and is no word.
    """
    literal = re.escape(prefix)
    begins = rf"(?:(?<![A-Za-z0-9]{literal})|(?<=\\[nrtbf]{literal})|(?<=\\u[0-9a-fA-F]{{4}}{literal}))"
    return Row(name, prefix, re.compile(literal + ("" if inside_words else begins) + rest), examples)


_WORD: Final = r"[A-Za-z0-9_-]"
_PEM_END: Final = r"PRIVATE KEY(?: BLOCK)?-----"

#: The examples are no keys of anybody: their letters are in the order of the alphabet.
SECRETS: Final = (
    _key(
        "OpenAI, Anthropic, OpenRouter, DeepSeek, Langfuse and others",
        "sk-",
        _WORD + "{16,}",
        "sk-abcdefghijklmnopqrstuvwx0123456789",
        "sk-proj-abcdefgh_ijklmnop-qrstuvwx0123456789",
        "sk-ant-api03-abcdefgh_ijklmnop-qrstuvwx0123456789AA",
        "sk-or-v1-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "sk-lf-01234567-89ab-cdef-0123-456789abcdef",
    ),
    _key("Groq", "gsk_", "[A-Za-z0-9]{20,}", "gsk_abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnop"),
    _key("xAI", "xai-", "[A-Za-z0-9]{20,}", "xai-abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnop"),
    _key("Perplexity", "pplx-", "[A-Za-z0-9]{20,}", "pplx-abcdefghijklmnopqrstuvwxyz0123456789abcdef"),
    _key("NVIDIA", "nvapi-", _WORD + "{20,}", "nvapi-abcdefghijklmnopqrstuvwxyz0123456789_abcdef"),
    _key("Replicate", "r8_", "[A-Za-z0-9]{30,}", "r8_abcdefghijklmnopqrstuvwxyz01234567890"),
    _key("Hugging Face", "hf_", "[A-Za-z0-9]{30,}", "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH"),
    _key("LangSmith", "lsv2_", "[A-Za-z0-9_]{20,}", "lsv2_pt_0123456789abcdef0123456789abcdef_0123456789"),
    _key("Tavily", "tvly-", _WORD + "{16,}", "tvly-dev-abcdefghijklmnopqrstuvwxyz012345"),
    _key("InsForge", "ik_", "[A-Za-z0-9]{24,}", "ik_0123456789abcdef0123456789abcdef"),
    _key("Google API", "AIza", _WORD + "{30,}", "AIzaabcdefghijklmnopqrstuvwxyz012345678", inside_words=True),
    _key("Google access token", "ya29.", r"[A-Za-z0-9._-]{20,}", "ya29.a0abcdefghijklmnopqrstuvwxyz0123456789"),
    _key("Google client secret", "GOCSPX-", _WORD + "{20,}", "GOCSPX-abcdefghijklmnopqrstuvwx_012", inside_words=True),
    *(
        _key("GitHub", f"gh{letter}_", "[A-Za-z0-9]{30,}", f"gh{letter}_abcdefghijklmnopqrstuvwxyz0123456789")
        for letter in "pousr"
    ),
    _key(
        "GitHub, fine-grained", "github_pat_", "[A-Za-z0-9_]{22,}", "github_pat_0123456789abcdefghijkl_mnopqrstuvwxyz0123456789"
    ),
    _key("GitLab", "glpat-", _WORD + "{16,}", "glpat-abcdefghijklmnopqrst"),
    _key(
        "Slack",
        "xox",
        r"[abeoprs]-[A-Za-z0-9-]{10,}",
        "xoxb-012345678901-012345678901-abcdefghijklmnop",
        "xoxp-0123456789-abcdef",
    ),
    _key(
        "Telegram bot",
        ":AA",
        _WORD + r"{32,33}(?![A-Za-z0-9_-])",
        "0123456789:AAabcdefghijklmnopqrstuvwxyz0123456",
        inside_words=True,
    ),
    _key("AWS", "AKIA", "[A-Z0-9]{16}", "AKIAABCDEFGHIJKLMNOP", inside_words=True),
    _key("AWS, temporary", "ASIA", "[A-Z0-9]{16}", "ASIAABCDEFGHIJKLMNOP", inside_words=True),
    _key("npm", "npm_", "[A-Za-z0-9]{30,}", "npm_abcdefghijklmnopqrstuvwxyz0123456789"),
    _key("PyPI", "pypi-", _WORD + "{40,}", "pypi-abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnop"),
    _key("Stripe", "k_live_", "[A-Za-z0-9]{16,}", "sk_live_abcdefghijklmnopqrstuvwx", inside_words=True),
    Row(
        "bearer token",
        "earer ",
        re.compile(r"earer +(?:(?=[A-Za-z._~+/=-]*\d)[\w.~+/=-]{12,}|[\w.~+/=-]{20,})"),
        ("Bearer abcdefghijklmnopqrstuvwx", "authorization: bearer 0123456789abcdef"),
        replacement="earer [masked]",
    ),
    Row(
        "JSON web token",
        "eyJ",
        re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)*"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhYmMifQ.abcdefghijklmnop",),
    ),
    Row(
        "private key",
        "-----BEGIN ",
        re.compile(rf"-----BEGIN [A-Z ]{{0,40}}{_PEM_END}(?:[^-]|-(?!----))*(?:-----END [A-Z ]{{0,40}}{_PEM_END})?"),
        (
            "-----BEGIN PRIVATE KEY-----\nQUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=\n-----END PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: AES-256-CBC,00\n\nQUJDREVGR0hJSktM\n-----END RSA PRIVATE KEY-----",
        ),
    ),
    Row(
        "user and password in a URL",
        "://",
        re.compile(r"""://[^\s/@:"<>]{0,256}:[^\s/@"<>]{1,512}@"""),
        ("postgresql://abc:defghi@db.example/jkl", "redis://:abcdefgh@cache.example:6379/0"),
        replacement="://[masked]@",
    ),
)

#: The digits of an escape (``\\u00e9``) may come before.
_BEGINS: Final = r"(?:(?<!\d[2-6])|(?<=\\u[0-9a-fA-F]{4}[2-6]))"

#: Visa, Mastercard, Discover, JCB and others of 16 digits, American Express of 15; alone, or in groups as on the card.
CARDS: Final = (
    Row(
        "card of 16 digits",
        "",
        re.compile(r"[2-6]" + _BEGINS + r"\d{3}([ -]?)\d{4}\1\d{4}\1\d{4}(?!\d)"),
        ("4111111111111111", "5555 5555 5555 4444", "6011-1111-1111-1117"),
        "cards",
        "[masked card]",
        luhn=True,
    ),
    Row(
        "American Express",
        "",
        re.compile(r"3" + _BEGINS + r"[47]\d{2}([ -]?)\d{6}\1\d{5}(?!\d)"),
        ("378282246310005", "3714 496353 98431"),
        "cards",
        "[masked card]",
        luhn=True,
    ),
)

EMAILS: Final = (
    Row(
        "email address",
        "@",
        re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"),
        ("ada.lovelace+llm@mail.example.org",),
        "emails",
        "[masked email]",
    ),
)

#: In the order in which they are applied: the password of a URL may look like an address.
ROWS: Final = (*SECRETS, *CARDS, *EMAILS)


def has_luhn(text: str) -> bool:
    """Whether the digits of ``text`` end with their check digit (ISO/IEC 7812-1)."""
    digits = [int(letter) for letter in reversed(text) if letter in "0123456789"]
    doubled = (2 * digit - 9 if digit > 4 else 2 * digit for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
