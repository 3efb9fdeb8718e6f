"""How near output and reference are in meaning: cosine of their embeddings. Used by `evals/scoring.py`.

The embeddings are WordLlama's, which ship inside its wheel. They know topics, not negation: "Delete" and
"Do not delete" score above 0.8, so this measures relevance, never agreement.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import wordllama


@cache
def _model() -> wordllama.WordLlamaInference:
    folder = Path(wordllama.__file__).parent
    return wordllama.WordLlama.load(cache_dir=folder, disable_download=True)


def semantic_similarity(output: str, reference: str) -> float:
    """Cosine similarity, cut to [0, 1]. Equal texts score 1, an empty one against any other 0."""
    if output == reference:
        return 1.0
    if not output.strip() or not reference.strip():
        return 0.0
    return min(1.0, max(0.0, float(_model().similarity(output, reference))))
