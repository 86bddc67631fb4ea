"""What did we know, and when did it hold? Versions, record time and validity time."""

import tempfile
from datetime import UTC, datetime, timedelta

from agentcl import Memory

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)

with tempfile.TemporaryDirectory() as folder, Memory(folder, encoder="hashing") as memory:
    plan = memory.add(
        "The ferry leaves at seven.",
        uri="timetable",
        valid_from=NOW - HOUR,
        valid_to=NOW + HOUR,
    )
    before_the_change = plan.created_at
    memory.update(plan.id, text="The ferry leaves at eight.", valid_to=None)

    now = memory.search("when does the ferry leave?")
    then = memory.search("when does the ferry leave?", as_of=before_the_change)
    past = memory.search("when does the ferry leave?", valid_at=NOW - 2 * HOUR)
    print("now:   ", [hit.text for hit in now])
    print("then:  ", [hit.text for hit in then])
    print("before it held:", [hit.text for hit in past])

    for version in memory.history(plan.id):
        print(f"version {version.version}: {version.op}, {getattr(version.record, 'text', '')}")
