"""A client of the gateway, for programs on any machine: Client waits for each answer, AsyncClient awaits it. It needs
the extra `client`, and neither the database nor the broker.

    from windmill.client import Client

    with Client("https://windmill.example", key) as windmill:
        picture = windmill.send("a.jpg")
        job = windmill.submit("upscale_denoise_image_v1", {"image": picture})
        windmill.wait(job["public_id"])
"""

from windmill.client.asynchronous import AsyncClient
from windmill.client.documents import Artifact, Event, Job, JobPage, Step
from windmill.client.synchronous import Client

__all__ = ["Artifact", "AsyncClient", "Client", "Event", "Job", "JobPage", "Step"]
