"""Reading what a model answered."""


def final_answer(text: str) -> str:
    """Return what `text` gives as its answer: all of it, or what follows its last "Answer:"."""
    return text.rpartition("Answer:")[2].strip().rstrip(".")
