"""Many who watch: a thousand streams of one run, the slow and the dead among them."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from chaos import MortalStudio
from live_server import LiveStudio, run_url

from graph.context import Context

WATCHERS = 1000
SLOW, DEAD = 50, 50  # of them: who read nothing, and who leave without a word
EACH_KB = 64  # of the server's memory
LINUX = Path("/proc/self/status").exists()

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def watch(studio: LiveStudio, address: str) -> Stream:
    """Open a stream and read its head and first event."""
    url = urlsplit(str(studio.http.base_url))
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    writer.write(f"GET {address}/stream HTTP/1.1\r\nHost: {url.netloc}\r\n\r\n".encode())
    await writer.drain()
    assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
    await reader.readuntil(b"event: metadata")
    return reader, writer


@pytest.mark.skipif(not LINUX, reason="reads the memory of a process as Linux tells it")
async def test_a_thousand_watchers_hold(context: Context, tmp_path: Path) -> None:
    """None of them delays the run, or the others, and each costs little."""
    settings = context.settings
    mortal = MortalStudio(settings.library, settings.data_dir, tmp_path / "log", step_s=0.5)
    studio = await asyncio.to_thread(mortal.start)
    try:
        with studio.chatting("a neon city", style="none", steps=60) as events:
            address = run_url(next(events).data)
            first = await watch(studio, address)
            before = mortal.memory_kb()
            rest = [await watch(studio, address) for _ in range(WATCHERS)]
            each = (mortal.memory_kb() - before) / WATCHERS
            assert each <= EACH_KB
            assert studio.http.get("/healthz").status_code == 200
            for _, writer in rest[:DEAD]:
                writer.transport.abort()
            healthy = [first, *rest[DEAD + SLOW :]]
            studio.http.post(f"{address}/cancel")
            ends = [reader.readuntil(b'{"status":"cancelled"}') for reader, _ in healthy]
            told = await asyncio.wait_for(asyncio.gather(*ends), 60)
            assert all(b"event: end" in text for text in told)
            assert [event.name for event in events][-1] == "end"
        for _, writer in [first, *rest]:
            writer.close()
    finally:
        mortal.close()
    assert "Traceback" not in mortal.log.read_text()
