"""A chat that remembers: every session of a user begins with what earlier ones said.

    python examples/chat_that_remembers.py http://127.0.0.1:8000/v1 MODEL [USER]

Any server with OpenAI's interface will do, e.g. `agentcl model serve`, vLLM or Ollama.
"""

import sys
import uuid

from agentcl import AgentclError, Memory, Message, OpenAIChat

if len(sys.argv) < 3:
    sys.exit(f"{__doc__}\nNo server was named. Start one, and name its address and its model.")

url, name, user = (*sys.argv[1:], "ada")[:3]
model = OpenAIChat(name, base_url=url)
session = uuid.uuid4().hex
messages: list[dict[str, str]] = []

with Memory("chat-memory") as memory:
    print(
        memory.profile(user=user).text or "Nothing is known of you yet.", "Say something.", sep="\n"
    )
    for line in sys.stdin:
        messages.append({"role": "user", "content": line.strip()})
        found = memory.context(messages, budget_tokens=600, user=user, session=session)
        prompt = [Message(one["role"], str(one["content"])) for one in found.into(messages)]
        try:
            reply = model.chat(prompt).text
        except AgentclError as error:
            sys.exit(f"the model does not answer: {error}")
        print(reply)
        messages.append({"role": "assistant", "content": reply})
        memory.remember(messages, user=user, session=session)
