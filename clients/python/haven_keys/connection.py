"""How a server is found and asked."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import threading
import time
import urllib.parse
import uuid
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

#: Seconds that one request may take.
TIMEOUT = 30.0

#: How often a request is sent when the server cannot be reached, or says to try again.
TRIES = 4

_MAX_ANSWER = 16 << 20


class HavenError(Exception):
    """A refusal, or a failure to ask.

    ``code`` is stable: ``access_denied``, ``not_found``, ``invalid_request``, ``invalid_state``, … ; it is
    ``unreachable`` where no server answered. ``detail`` says what happened, to which key, and what to do.
    ``request_id`` finds the record of it, ``decision_id`` explains a refusal (``haven access explain``).
    """

    def __init__(self, code: str, detail: str, status: int = 0, request_id: str = "", decision_id: str = "") -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.status = status
        self.request_id = request_id
        self.decision_id = decision_id


class Connection:
    """A server, and who asks it. It may be used by several threads."""

    def __init__(self, endpoint: str, ca_file: Optional[str], token: str, sleep: Callable[[float], None] = time.sleep) -> None:
        """``endpoint`` is an https URL; ``ca_file`` holds the certificates to trust, None for the system's."""
        url = urllib.parse.urlsplit(endpoint)
        if url.scheme != "https" or not url.hostname or url.path not in ("", "/"):
            raise HavenError("invalid_request", "the endpoint is https://HOST:PORT")
        self._host = url.hostname
        self._port = url.port or 443
        self._token = token
        self._tls = ssl.create_default_context(cafile=ca_file)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_3
        self._lock = threading.Lock()
        self._idle: List[http.client.HTTPSConnection] = []
        self._sleep = sleep

    def __repr__(self) -> str:
        return f"Connection(https://{self._host}:{self._port})"

    def __del__(self) -> None:
        if hasattr(self, "_lock"):
            self.close()

    def close(self) -> None:
        """Closes what is open to the server. The next call opens it again."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @classmethod
    def from_environment(cls, environ: Optional[Mapping[str, str]] = None) -> "Connection":
        """Finds the server by HAVEN_DATA, or by HAVEN_ENDPOINT, HAVEN_CA and HAVEN_TOKEN, which win."""
        environ = os.environ if environ is None else environ
        found: Dict[str, str] = {}
        data = environ.get("HAVEN_DATA", "")
        if data:
            found = _ready(data)
        endpoint = environ.get("HAVEN_ENDPOINT") or found.get("endpoint", "")
        ca_file = environ.get("HAVEN_CA") or found.get("ca_file") or None
        token = environ.get("HAVEN_TOKEN") or found.get("token", "")
        if not endpoint:
            raise HavenError("invalid_request", "no server: set HAVEN_DATA, or HAVEN_ENDPOINT, HAVEN_CA and HAVEN_TOKEN")
        if not token:
            raise HavenError("invalid_request", "no credential: set HAVEN_TOKEN")
        return cls(endpoint, ca_file, token)

    def call(self, operation: str, request: Mapping[str, Any], mutates: bool = False) -> Dict[str, Any]:
        """Does an operation of the server and returns its answer.

        What changes something is sent with an Idempotency-Key, so that a repetition is done once.
        """
        body = json.dumps(request).encode()
        headers = {"Authorization": "Bearer " + self._token, "Content-Type": "application/json"}
        if mutates:
            headers["Idempotency-Key"] = str(uuid.uuid4())
        failure = HavenError("unreachable", "no server was asked")
        for attempt in range(TRIES):
            if attempt > 0:
                self._sleep(0.1 * 2**attempt)
            try:
                status, answer = self._send(operation, body, headers)
            except (OSError, http.client.HTTPException) as error:
                self.close()  # what was open before a restart of the server, too
                if isinstance(error, ssl.SSLCertVerificationError):
                    raise HavenError("unreachable", f"the server is not who it says it is: {error.verify_message}; set HAVEN_CA") from None
                failure = HavenError("unreachable", f"the server at https://{self._host}:{self._port} does not answer: {type(error).__name__}")
                continue
            if status == http.client.OK:
                return _object(answer)
            failure = _refusal(status, answer)
            if status != http.client.SERVICE_UNAVAILABLE:
                break
        raise failure

    def _send(self, operation: str, body: bytes, headers: Mapping[str, str]) -> Tuple[int, bytes]:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=TIMEOUT, context=self._tls)
        try:
            connection.request("POST", "/v1/" + operation, body, dict(headers))
            response = connection.getresponse()
            answer = response.read(_MAX_ANSWER + 1)
            if len(answer) > _MAX_ANSWER:
                raise http.client.HTTPException("the answer is too long")
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._idle.append(connection)
        return response.status, answer


def _ready(data: str) -> Dict[str, str]:
    """Reads a server's ready file, or that of its data folder."""
    path = os.path.join(data, "ready.json") if os.path.isdir(data) else data
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError) as error:
        raise HavenError("invalid_request", f"HAVEN_DATA: {path} cannot be read ({type(error).__name__}): is the server running?") from None
    if not isinstance(found, dict):
        raise HavenError("invalid_request", f"HAVEN_DATA: {path} is not a ready file")
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _object(answer: bytes) -> Dict[str, Any]:
    try:
        value = json.loads(answer)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise HavenError("unexpected_answer", "the server's answer is not a JSON object")
    return value


def _refusal(status: int, answer: bytes) -> HavenError:
    try:
        problem = json.loads(answer)
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    return HavenError(
        str(problem.get("code", "unexpected_answer")),
        str(problem.get("detail", f"HTTP status {status}")),
        status,
        str(problem.get("request_id", "")),
        str(problem.get("decision_id", "")),
    )
