"""What other systems call our error codes. Engines may answer with such a name, and presets may speak of it."""

from collections.abc import Mapping

from windmill.core.errors import ERROR_CODES, Code

OTHER_NAMES: Mapping[str, Code] = {
    "MISSING_REQUIRED_FIELD": "USAGE",
    "MISSING_PARAMETER": "USAGE",
    "INVALID_FIELD_TYPE": "USAGE",
    "INVALID_FIELD_VALUE": "USAGE",
    "VALIDATION_ERROR": "USAGE",
    "AUTH_INSUFFICIENT_PERMISSIONS": "PERMISSION_DENIED",
    "FILE_NOT_FOUND": "NOT_FOUND",
    "CONNECTION_REFUSED": "SERVICE_UNREACHABLE",
    "SERVICE_UNAVAILABLE": "SERVICE_UNREACHABLE",
    "CONNECTION_TIMEOUT": "SERVICE_TIMEOUT",
    "DB_UNAVAILABLE": "DATABASE_UNAVAILABLE",
    "REDIS_UNAVAILABLE": "BROKER_UNAVAILABLE",
    "DISK_FULL": "INSUFFICIENT_DISK_SPACE",
    "DOWNLOAD_FAILED": "DEPENDENCY_MISSING",
    "DOWNLOAD_TIMEOUT": "DEPENDENCY_MISSING",
    "DOWNLOAD_CANCELLED": "CANCELLED",
    "UNKNOWN_ERROR": "DEFECT",
}
"""Windmill downloads no models: one that is not there is a missing dependency."""
_BY_NAME: Mapping[str, Code] = {**{str(code): code for code in ERROR_CODES}, **OTHER_NAMES}


def code_named(name: object) -> Code | None:
    """The code of this name; None if there is none."""
    return _BY_NAME.get(name) if isinstance(name, str) else None
