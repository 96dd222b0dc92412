"""Stored inputs of every parser, found by coverage-guided fuzzing, come to a result or an error of this package."""

import time

import pytest

from fuzz import parsers
from fuzz.parsers import CORPUS, PARSERS, Parser, outcome

#: Processor seconds that an input may take. A hundredth is usual.
LIMIT_S = 5.0


@pytest.mark.parametrize("name", PARSERS)
def test_stored_inputs(name: str) -> None:
    stored = sorted((CORPUS / name).iterdir())
    assert stored, "make fuzz-corpus"
    for path in stored:
        start = time.process_time()
        try:
            outcome(name, path.read_bytes())
        except Exception as error:
            raise AssertionError(f"{path}: {type(error).__name__}: {error}") from error
        assert time.process_time() - start < LIMIT_S, path


@pytest.mark.parametrize("name", PARSERS)
def test_seeds_are_good(name: str) -> None:
    assert [outcome(name, seed) for seed in PARSERS[name].seeds()].count("refused") == 0


def test_every_corpus_has_a_parser_and_is_small() -> None:
    assert {path.name for path in CORPUS.iterdir()} == set(PARSERS)
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < 10**6


def test_a_foreign_exception_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(data: bytes) -> None:
        raise KeyError(data)

    monkeypatch.setitem(parsers.PARSERS, "sizes", Parser(fails, list))
    with pytest.raises(KeyError):
        outcome("sizes", b"8")
