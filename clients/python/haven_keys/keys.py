"""The Key Manager."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Dict, Mapping, Optional, Tuple

from .connection import Connection, HavenError


class KeyType(str, enum.Enum):
    """What a key may do."""

    MASTER = "master"
    DATA = "data"
    SIGNING = "signing"
    TRANSPORT = "transport"


class KeyStatus(str, enum.Enum):
    """The state of a key's primary version."""

    PENDING = "pending"
    ACTIVE = "active"
    ROTATING = "rotating"
    DEPRECATED = "deprecated"
    EXPIRED = "expired"
    COMPROMISED = "compromised"
    DESTROYED = "destroyed"


@dataclass
class KeyMetadata:
    """What is known of a key. Times are aware, in UTC."""

    key_id: str
    key_type: KeyType
    created_at: datetime
    #: The number of the primary version; 0 where there is none.
    version: int
    status: KeyStatus
    #: When the primary was made, where it is not the first; else None.
    rotated_at: Optional[datetime] = None
    #: When the primary's cryptoperiod ends; None: never.
    expires_at: Optional[datetime] = None
    usage_count: int = 0
    tags: Dict[str, str] = field(default_factory=dict)


class KeyManager:
    """Creates, rotates and finds keys."""

    def __init__(self, region: str = "us-east-1", connection: Optional[Connection] = None) -> None:
        """``region`` is accepted for the sake of what called the old module: the server has its own."""
        self.region = region
        self.connection = connection or Connection.from_environment()

    def create_key(self, key_purpose: str, key_type: KeyType, rotation_days: int = 90) -> Tuple[str, KeyMetadata]:
        """Creates a key and returns its id. ``rotation_days`` 0 is never."""
        request = {"purpose": key_purpose, "type": KeyType(key_type).value, "rotation_days": rotation_days}
        key = self.connection.call("create-key", request, mutates=True)
        return str(key["key_id"]), self._metadata(key)

    def rotate_key(self, key_id: str) -> Tuple[str, KeyMetadata]:
        """Makes a new version the primary and returns its id, ``ID@N``; the old one goes on for its grace
        period. Of ``ID@N`` it rotates only if N is still the primary."""
        key = self.connection.call("rotate-key", {"key": key_id}, mutates=True)
        return f"{key['key_id']}@{key['version']}", self._metadata(key, rotated=True)

    def get_active_key(self, key_type: KeyType, purpose: Optional[str] = None) -> str:
        """Returns the id of the newest key in force of a type, and of a purpose where one is given. Where
        there is none one is created."""
        key_type = KeyType(key_type)
        request = {"type": key_type.value}
        if purpose is not None:
            request["purpose"] = purpose
        try:
            return str(self.connection.call("get-active-key", request)["key_id"])
        except HavenError as error:
            if error.code != "not_found":
                raise
        key_id, _ = self.create_key(purpose or f"{key_type.value} key", key_type)
        return key_id

    def track_key_usage(self, key_id: str) -> None:
        """Does nothing: the server counts every use."""

    def describe_key(self, key_id: str) -> KeyMetadata:
        """Returns what is known of a key."""
        return self._metadata(self.connection.call("describe-key", {"key": key_id}))

    def _metadata(self, key: Mapping[str, Any], rotated: bool = False) -> KeyMetadata:
        version = int(key.get("version", 0))
        rotated_at = None
        if rotated or version > 1:
            versions = self.connection.call("list-key-versions", {"key": key["key_id"], "limit": 1}).get("versions", [])
            if versions:
                rotated_at = moment(versions[0]["created_at"])
        return KeyMetadata(
            key_id=str(key["key_id"]),
            key_type=KeyType(key["type"]),
            created_at=required(key["created_at"]),
            version=version,
            status=KeyStatus(key.get("state", "compromised")),
            rotated_at=rotated_at,
            expires_at=moment(key.get("expires_at")),
            usage_count=int(key.get("use_count", 0)),
            tags=dict(key.get("tags", {})),
        )


def moment(text: Optional[str]) -> Optional[datetime]:
    """Reads a time of RFC 3339; None for none. Nanoseconds are cut to microseconds."""
    return None if not text else required(text)


def required(text: str) -> datetime:
    """Reads a time of RFC 3339 in UTC."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(whole + "." + (fraction + "000000")[:6] + "+00:00")
