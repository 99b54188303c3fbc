"""The Key Vault."""

from __future__ import annotations

import base64
from typing import Any, Dict, Mapping, Optional, Tuple, Union

from .connection import Connection


class KeyVault:
    """Keeps named secrets, in versions, protected by a master key."""

    def __init__(self, region: str = "us-east-1", connection: Optional[Connection] = None) -> None:
        """``region`` is accepted for the sake of what called the old module: the server has its own."""
        self.region = region
        self.connection = connection or Connection.from_environment()

    def store_key(
        self,
        key_name: str,
        key_value: Union[str, bytes],
        key_metadata: Optional[Mapping[str, Any]] = None,
        kms_key_id: Optional[str] = None,
    ) -> str:
        """Stores a value, at most 64 KiB, and returns its ARN. A name that exists gets a new version.

        ``kms_key_id`` is the master key that protects it. Metadata is kept as text."""
        request: Dict[str, Any] = {"name": key_name}
        if isinstance(key_value, str):
            request["text"] = key_value
        else:
            request["value"] = base64.b64encode(bytes(key_value)).decode("ascii")
        if key_metadata is not None:
            request["metadata"] = {str(name): str(value) for name, value in key_metadata.items()}
        if kms_key_id:
            request["kms_key_id"] = kms_key_id.partition("@")[0]  # the primary wraps, whichever it is
        return str(self.connection.call("store-key", request, mutates=True)["arn"])

    def retrieve_key(self, key_name: str) -> Tuple[Union[str, bytes], Dict[str, str]]:
        """Returns the current value, ``str`` or ``bytes`` as it was stored, and its metadata. A name that begins
        with ``arn:`` is an ARN."""
        request = {"arn" if key_name.startswith("arn:") else "name": key_name}
        answer = self.connection.call("retrieve-key", request)
        metadata = {str(name): str(value) for name, value in answer.get("metadata", {}).items()}
        if "text" in answer:
            return str(answer["text"]), metadata
        return base64.b64decode(answer["value"]), metadata
