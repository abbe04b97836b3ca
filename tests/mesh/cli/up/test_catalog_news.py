import asyncio
from pathlib import Path

from mesh.cli.up.catalog_news import catalog_news


async def test_new_messages_about_the_catalog_are_shown_once_complete(tmp_path: Path) -> None:
    log = tmp_path / "supervisor.log"
    log.write_text("2026-11-02 10:00:00,000 ERROR supervisor.catalog an old message\n")
    news = catalog_news(log, poll_s=0.001)
    first = asyncio.ensure_future(anext(news))
    await asyncio.sleep(0.01)

    with log.open("a", buffering=1) as file:
        file.write("2026-11-02 10:00:01,000 WARNING supervisor.lanes a lane is down\n")
        file.write("Traceback (most recent call last):\n")
        file.write("2026-11-02 10:00:02,000 ERROR supervisor.catalog arena: refused: ")
        file.flush()
        await asyncio.sleep(0.01)
        assert not first.done()
        file.write("traffic: caf\u00e9\n2026-11-02 10:00:03,000 INFO supervisor.catalog arena: in force\n")
        file.write(
            "2026-11-02 10:00:04,000 WARNING supervisor.catalog arena: the new catalog waits for replicas of 3/m\n"
        )

        file.write("2026-11-02 10:00:05,000 WARNING supervisor.guard arena: version 3 breaks its guard\n")

    assert await first == "arena: refused: traffic: caf\u00e9"
    assert await anext(news) == "arena: in force"
    assert await anext(news) == "arena: the new catalog waits for replicas of 3/m"
    assert await anext(news) == "arena: version 3 breaks its guard"
