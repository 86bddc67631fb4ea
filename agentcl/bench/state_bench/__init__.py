"""STATE-Bench's learning track: its trajectories, what is learned from them, and what its runs came to.

The benchmark itself (Microsoft, 2026) runs in the user's own checkout. There an agent asks `retrieve_learnings` for what
helped on earlier tasks, and `Learnings` is what answers.
"""
