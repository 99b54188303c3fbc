"""The Rotation Scheduler."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, Union

from .keys import KeyManager, moment

_AT_ONCE = 100


class KeyRotationScheduler:
    """Finds keys that are due to be rotated, and rotates them. The server does so by itself; this is for who
    wants to see it, or not to wait."""

    def __init__(self, key_manager: KeyManager) -> None:
        self.key_manager = key_manager

    def check_keys_for_rotation(self) -> List[Dict[str, Any]]:
        """Returns the keys that are due, each with ``key_id``, ``key_type`` and ``expires_at``. Nothing is
        rotated."""
        found = self.key_manager.connection.call("check-rotation", {"dry_run": True})
        return [
            {"key_id": task["key_id"], "key_type": task["type"], "expires_at": moment(task.get("expires_at"))}
            for task in found.get("due", [])
            if task["do"] == "rotate" and "key_id" in task
        ]

    def execute_rotations(self, keys: Iterable[Union[str, Mapping[str, Any]]]) -> Dict[str, str]:
        """Rotates those of the keys that are due and returns their new ids, ``ID@N``, by the old ones. Keys
        are ids, or what check_keys_for_rotation returned."""
        ids = [key if isinstance(key, str) else str(key["key_id"]) for key in keys]
        new: Dict[str, str] = {}
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            done = self.key_manager.connection.call("execute-rotations", {"keys": [key.partition("@")[0] for key in some]})
            for old, rotation in zip(some, done["rotations"]):
                if rotation.get("new_version"):
                    new[old] = f"{rotation['key_id']}@{rotation['new_version']}"
        return new

    def schedule_rotation_check(self, schedule_expression: str = "rate(1 day)") -> Dict[str, Any]:
        """Sets when the server looks for what is due: ``rate(1 day)``, ``cron(0 3 * * ? *)``. Returns the
        schedule, with ``expression`` and ``next_check_at``."""
        return self.key_manager.connection.call("schedule-rotation-check", {"expression": schedule_expression}, mutates=True)
