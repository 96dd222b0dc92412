"""Errors are an enumerated contract: the core's codes, one class each."""

import pytest

import supernode as sn
from supernode import _core, errors
from supernode.errors import BY_CODE, SupernodeError

CLASSES: dict[str, tuple[type[BaseException], type[BaseException], int | None]] = {
    "spec": (errors.SpecError, ValueError, 2),
    "fabric": (errors.FabricError, ValueError, 2),
    "algorithm": (errors.AlgorithmError, ValueError, 2),
    "overflow": (errors.SizeOverflowError, OverflowError, 2),
    "unroutable": (errors.UnroutableError, Exception, 1),
    "memory": (errors.MemoryLimitError, MemoryError, 1),
    "deadlock": (errors.DeadlockError, Exception, 1),
    "unfinished": (errors.UnfinishedError, Exception, 1),
    "schedule": (errors.ScheduleError, Exception, 1),
    "timeout": (errors.SimulationTimeout, TimeoutError, 1),
    "interrupted": (KeyboardInterrupt, KeyboardInterrupt, None),
    "internal": (errors.InternalError, RuntimeError, 1),
}


def test_every_code_of_the_core_has_a_class() -> None:
    assert set(_core.error_codes()) == set(BY_CODE) == set(CLASSES)


@pytest.mark.parametrize("code", sorted(CLASSES))
def test_classes(code: str) -> None:
    kind, builtin, exit_code = CLASSES[code]
    assert BY_CODE[code] is kind
    assert issubclass(kind, builtin)
    if issubclass(kind, SupernodeError):
        assert kind.exit_code == exit_code
    else:
        assert kind is KeyboardInterrupt


def test_every_class_is_public() -> None:
    for kind in BY_CODE.values():
        if kind is not KeyboardInterrupt:
            assert kind.__name__ in errors.__all__
    assert sn.SupernodeError is SupernodeError
