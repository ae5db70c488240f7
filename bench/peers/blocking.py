"""One job with a client that blocks: requests and psycopg, as tasks of Celery and Dramatiq have it."""

# Types are checked where the library is not installed.
# mypy: disable-error-code="import-not-found"

import json
from pathlib import Path
from typing import Any

import psycopg
import requests

from bench.peers.environment import DSN, URL

INSERT = """
INSERT INTO results (image_id, service, data, status, processing_time, worker_id, submitted_at)
VALUES (%s, 'yolov8', %s, 'success', %s, 'bench', %s)
ON CONFLICT (image_id, service) DO UPDATE SET data = excluded.data, processing_time = excluded.processing_time
"""


class Client:
    """Connections that are kept from job to job; of one process or thread."""

    def __init__(self) -> None:
        self._session = requests.Session()
        self._connection = psycopg.connect(DSN, autocommit=True)

    def analyse(self, job: dict[str, Any]) -> None:
        """Read the image, ask the service, store what it says."""
        image = Path(job["image_path"]).read_bytes()
        files = {"file": (job["image_filename"], image, "image/jpeg")}
        response = self._session.post(URL, files=files, timeout=30)
        response.raise_for_status()
        reply = response.json()
        seconds = reply["metadata"]["processing_time"]
        self._connection.execute(INSERT, (job["image_id"], json.dumps(reply), seconds, job["submitted_at"]))
