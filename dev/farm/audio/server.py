"""The HTTP side: the two contracts of the counting app, and the one that servers of Whisper have."""

import asyncio
import base64
import binascii
import io
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from aiohttp import web

from dev.farm.audio.tones import ToneWord, hear
from windmill.kernels.audio.pcm import RATE

MAX_BYTES = 2 * 1024**3
VERSION = "windmill-farm"


class NotWave(Exception):
    """What came is no WAV file of 16 kHz, one channel, 16 bits."""


def heard_in(data: bytes) -> list[ToneWord]:
    try:
        with wave.open(io.BytesIO(data)) as opened:
            if (opened.getframerate(), opened.getnchannels(), opened.getsampwidth()) != (RATE, 1, 2):
                raise NotWave("it must have 16 kHz, one channel and 16 bits")
            return hear(np.frombuffer(opened.readframes(opened.getnframes()), np.int16))
    except (wave.Error, EOFError) as error:
        raise NotWave(str(error)) from error


async def _audio(request: web.Request) -> bytes:
    document = await request.json()
    if not isinstance(document, dict) or set(document) != {"audio"}:
        raise NotWave('the body must be {"audio": "<base64>"}')
    return base64.b64decode(document["audio"], validate=True)


async def diarize(request: web.Request) -> web.Response:
    words = await asyncio.to_thread(heard_in, await _audio(request))
    segments = [_segment(f"SPEAKER_{word.speaker:02d}", word.t0, word.t1) for word in words]
    names = sorted({segment["speaker_id"] for segment in segments})
    answer = {"segments": segments, "speakers": names, "num_speakers": len(names), "num_segments": len(segments)}
    return web.json_response(answer)


def _segment(speaker: str, start: float, end: float) -> dict[str, Any]:
    return {"speaker_id": speaker, "start_time": start, "end_time": end, "duration": round(end - start, 3)}


async def transcribe(request: web.Request) -> web.Response:
    words = await asyncio.to_thread(heard_in, await _audio(request))
    text = " ".join(word.word for word in words)
    answer = {"raw_transcription": text, "corrected": text, "word_counts": {}, "total_singlish_words": 0}
    return web.json_response(answer)


async def transcription(request: web.Request) -> web.Response:
    form = await request.post()
    file = form.get("file")
    if not isinstance(file, web.FileField) or not form.get("model"):
        raise NotWave("the form needs file and model")
    with file.file:
        words = await asyncio.to_thread(heard_in, file.file.read())
    answer: dict[str, Any] = {"text": " ".join(word.word for word in words)}
    if form.get("response_format") == "verbose_json":
        answer["words"] = [{"word": word.word, "start": word.t0, "end": word.t1} for word in words]
    return web.json_response(answer)


async def health(_: web.Request) -> web.Response:
    return web.json_response({"status": "healthy", "model_info": {"framework": VERSION}})


@web.middleware
async def refusing(request: web.Request, handler: Any) -> web.StreamResponse:  # noqa: ANN401 - of aiohttp
    """400 for what is no request of these contracts."""
    try:
        reply: web.StreamResponse = await handler(request)
    except (NotWave, ValueError, binascii.Error, KeyError) as error:
        return web.json_response({"detail": str(error)}, status=400)
    return reply


@asynccontextmanager
async def serving_audio(host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve it; gives its URL."""
    app = web.Application(client_max_size=MAX_BYTES, middlewares=[refusing])
    app.add_routes(
        [
            web.post("/diarize", diarize),
            web.post("/transcribe", transcribe),
            web.post("/v1/audio/transcriptions", transcription),
            web.get("/health", health),
        ]
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    try:
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
