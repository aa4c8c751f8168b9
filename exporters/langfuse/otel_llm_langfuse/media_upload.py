"""Uploads the media of a batch before its spans are sent."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

import httpx

from otel_llm.delivery import Outcome, Pause, Retry
from otel_llm.delivery.log_limit import LogLimit
from otel_llm_langfuse.answers import outcome_of, unreachable
from otel_llm_langfuse.media_client import MediaClient, RefusedError, UnusableError
from otel_llm_langfuse.media_record import Upload

_logger = logging.getLogger(__name__)

#: Failed tries in a row after which spans go without their media, until an upload succeeds again.
TRIES: Final = 3
#: Seconds without a try after spans had to go without their media, so that storage which does not answer holds up no more of them.
REST_S: Final = 60.0
_MOST_KNOWN: Final = 4096
_NO_BUCKET: Final = "If the Langfuse server has no bucket, or one out of reach from here, set OTEL_LLM_LANGFUSE_MEDIA=keep."
_NOT_TAKEN: Final = "The server does not take such a file; OTEL_LLM_LANGFUSE_MEDIA=keep sends files inline."
#: Not a failure: the next try goes on from here.
_UNFINISHED: Final = Retry("it takes longer than one try may", 0.0)

_Key = tuple[str, ...]


class MediaUploads:
    """Uploads each file once in a process, and links it to the first observation in each trace that refers to it.

    Each trace needs a link of its own, for Langfuse deletes a file with the last trace that it is linked to.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._log_limit = LogLimit(clock)
        self._failures = 0
        self._last_failure = ""
        self._rests_until = 0.0
        #: Why files of the batch at hand are refused.
        self._refused: dict[_Key, str] = {}
        #: Files by id and type: stored. The same with a trace: linked, or given up as the spans went without. The oldest first.
        self._known: dict[_Key, None] = {}
        #: Number of files whose bytes were uploaded.
        self.stored = 0
        #: Number of files that a trace is without.
        self.given_up = 0

    def upload(self, uploads: Sequence[Upload], client: MediaClient) -> Outcome | None:
        """Upload what is not there yet. An outcome is that of the batch, which is to be sent again; None: go on with its spans."""
        self._refused.clear()
        if self._clock() < self._rests_until:
            return None
        deadline = self._clock() + client.timeout_s
        failure: Retry | None = None
        for count, upload in enumerate(self._missing(uploads)):
            if count and self._clock() > deadline:
                failure = failure or _UNFINISHED
                break
            outcome, goes_on = self._attempt(upload, client)
            if isinstance(outcome, Pause):
                return outcome
            failure = outcome or failure
            if not goes_on:
                break
        return self._unless_in_vain(failure)

    def sent(self, uploads: Sequence[Upload]) -> None:
        """The spans of these media are delivered: what is not there now will never be."""
        missing = [_link(upload) for upload in self._missing(uploads)]
        for link in missing:
            self._remember(link)
        refused = [self._refused[link] for link in missing if link in self._refused]
        if refused:
            self._give_up(len(refused), refused[0], _NOT_TAKEN)
        if len(missing) > len(refused):
            self._rests_until = self._clock() + REST_S
            self._give_up(len(missing) - len(refused), self._last_failure, _NO_BUCKET)

    def _missing(self, uploads: Sequence[Upload]) -> list[Upload]:
        """One upload for each file and trace that is neither linked nor given up."""
        missing: dict[_Key, Upload] = {}
        for upload in uploads:
            if (link := _link(upload)) not in self._known:
                missing.setdefault(link, upload)
        return list(missing.values())

    def _attempt(self, upload: Upload, client: MediaClient) -> tuple[Retry | Pause | None, bool]:
        """What came of it, and whether the next file is worth a try."""
        try:
            self._transfer(upload, client)
        except httpx.RequestError as error:
            unsettled = unreachable(_host(error), error)
            return (unsettled if isinstance(unsettled, Retry) else None), False
        except RefusedError as refused:
            outcome = _outcome_of(refused)
            if outcome is not None:
                return outcome, refused.at_storage
            self._refused[_link(upload)] = str(refused)
        except UnusableError as unusable:
            self._refused[_link(upload)] = str(unusable)
        return None, True

    def _transfer(self, upload: Upload, client: MediaClient) -> None:
        """Link, and store unless it is stored already, whatever the server thinks of the storage's status."""
        url, file = client.announce(upload), _file(upload)
        if url is not None and file not in self._known:
            client.store(upload.medium, url)
            self.stored += 1
        self._remember(file)
        self._remember(_link(upload))
        self._failures = 0

    def _unless_in_vain(self, failure: Retry | None) -> Retry | None:
        if failure is None:
            return None
        self._last_failure = failure.reason
        if failure is not _UNFINISHED:
            if self._failures >= TRIES:
                return None
            self._failures += 1
        return Retry(f"uploading media: {failure.reason}", failure.after_s)

    def _give_up(self, count: int, reason: str, advice: str) -> None:
        self.given_up += count
        if self._log_limit.due(advice):
            _logger.warning(
                "langfuse: %d image(s), recording(s) or file(s) could not be uploaded (%s); the spans are sent without them. %s "
                "%d in all so far.",
                count,
                reason,
                advice,
                self.given_up,
            )

    def _remember(self, key: _Key) -> None:
        self._known.pop(key, None)
        self._known[key] = None
        if len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]


def _file(upload: Upload) -> _Key:
    return upload.medium.id, upload.medium.content_type


def _link(upload: Upload) -> _Key:
    return *_file(upload), upload.trace_id


def _outcome_of(refused: RefusedError) -> Retry | Pause | None:
    """None: the server will not take this file, however often it is asked."""
    outcome = outcome_of(refused.response)
    if isinstance(outcome, Retry):
        return Retry(str(refused), outcome.after_s)
    if isinstance(outcome, Pause) and not refused.at_storage and refused.response.status_code in (401, 403):
        return outcome
    return None


def _host(error: httpx.RequestError) -> str:
    """Whom a request was for; an address of storage is a secret but for its host."""
    try:
        return error.request.url.host
    except RuntimeError:
        return "a server"
