"""An agent with tools, before and after it is told a rule: the lesson reaches it when it is about to act.

It runs by a script. With a real model: `--url http://localhost:8000/v1 --model NAME`. Needs `agentcl[openai]`.
"""

import argparse
import tempfile

from agentcl import Memory, OpenAIChat, ScriptedModel, Tool, ToolAgent
from agentcl.models import ToolCall

ASK = ToolCall("1", "ask_customer", '{"question": "Do you have the receipt?"}')
PAY = ToolCall("2", "refund", '{"order": "B20"}')


def ask_customer(question: str) -> str:
    """Ask the customer something, and return the answer."""
    return "Yes, here it is."


def refund(order: str) -> str:
    """Pay the money of an order back."""
    return "It is paid back."


options = argparse.ArgumentParser()
options.add_argument("--url")
options.add_argument("--model", default="")
url, name = vars(options.parse_args()).values()
script = ScriptedModel([[PAY], "Done.", [PAY], [ASK], [PAY], "Done."])
model = OpenAIChat(name, base_url=url, timeout_s=600) if url else script

with tempfile.TemporaryDirectory() as folder, Memory(folder, encoder="hashing") as memory:
    agent = ToolAgent(memory, model, [Tool.of(ask_customer, changes=False), refund])
    for seed in (0, 1):
        done = agent.run("I want my money back for order B20.", seed=seed)
        print(*(f"{one.name}: {one.outcome}" for one in done.calls), done.answer, "", sep="\n")
        made = [one.name for one in done.calls if one.fate == "done"]
        memory.episodes.score(done.episode, float(made == ["ask_customer", "refund"]))
        memory.lessons.add("Before you refund an order, ask the customer for the receipt.")
