"""Programs that run a peer in an environment of its own; `serving.py` speaks for all of them.

None of them imports agentcl: it need not be installed there.
"""
