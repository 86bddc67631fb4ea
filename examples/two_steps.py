"""Two steps from the question: a frozen model reads the passages for facts, and a walk finds what they lead to.

The reference model comes with the package and reads controlled English only. Needs
`pip install 'agentcl[local,graph]'`.
"""

import random
import tempfile

from agentcl import Memory
from agentcl.envs import Names
from agentcl.memory import ModelExtractor
from agentcl.models import open_reference
from training.worlds import make_world

rng = random.Random(3)
world = make_world(rng, Names(rng), passages=[(3,), (3,), (3,), (3,), (3,)])
first, second = world.chains()[
    0
]  # what is asked for is one passage further than what the question names

with tempfile.TemporaryDirectory() as folder, Memory(folder) as memory:
    memory.add_many(passage.text for passage in world.passages)
    report = memory.facts.extract(ModelExtractor(open_reference(), instructions=""), workers=1)
    print(f"{report.read} passages read, {report.facts} facts\n")

    question = f"Name the {second.relation.noun} of the {first.relation.noun} of {first.subject}."
    recall = memory.search(question, mode="graph", limit=3)
    print(question)
    for hit, chain in zip(recall, memory.graph.explain(recall), strict=True):
        says_so = (
            " <- the answer" if second.value in hit.text and second.subject in hit.text else ""
        )
        print(f"- {chain}{says_so}")
    print()
    print(f"near {first.value}: {memory.graph.view().near(first.value).facts[0][:3]}")
