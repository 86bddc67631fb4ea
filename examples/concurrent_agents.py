"""Many agents, one folder: under asyncio each remembers and searches, and none waits for a lock."""

import asyncio
import tempfile

from agentcl import AsyncMemory


async def work(memory: AsyncMemory, name: str) -> int:
    """Let one agent note three things and look for them; return how many it finds."""
    for number in range(3):
        await memory.add(f"{name} saw crate number {number} on the quay.", agent=name)
    recall = await memory.search("crate on the quay", agent=name)
    return len(recall)


async def main() -> None:
    """Run ten agents at once."""
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncMemory(folder, encoder="hashing") as memory:
            names = [f"agent-{number}" for number in range(10)]
            found = await asyncio.gather(*(work(memory, name) for name in names))
            print(dict(zip(names, found, strict=True)))
            shared = await memory.search("crate on the quay")
            print(f"without a name nothing is seen: {len(shared)} hits")


if __name__ == "__main__":
    asyncio.run(main())
