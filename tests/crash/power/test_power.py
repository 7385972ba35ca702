"""Power cuts in the middle of mail: what was acknowledged is there, what was not is there wholly or not at all.
POWER_CUTS=300 makes it long; POWER_SEED repeats a run (threads make each record another: a fault's own record is kept)."""
import os, pathlib, random, sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import lab  # noqa: E402

CUTS = int(os.environ.get("POWER_CUTS", "30"))
SEED = int(os.environ.get("POWER_SEED", random.randrange(1 << 30)))
FIXED_SEED, CONTROL_SEED, CONTROL_CUTS = 1, 5, 100
KEEP = lab.BUILD.parents[1] / "test-logs"


@pytest.mark.parametrize("seed, cuts", [(FIXED_SEED, CUTS // 2), (SEED, CUTS)], ids=["fixed", "random"])
def test_power_cuts(seed, cuts):
    made, fault = lab.power_cuts(cuts, seed, KEEP / f"power-{seed}")
    assert not fault, f"{fault}\nonce more: tests/crash/power/lab.py --replay {KEEP}/power-{seed}"


@pytest.mark.parametrize("control", lab.CONTROLS)
def test_what_is_broken_is_found(control):
    """A laboratory that finds nothing where a flush is missing finds nothing at all."""
    made, fault = lab.power_cuts(CONTROL_CUTS, CONTROL_SEED, None, control)
    assert fault, f"{made} cuts did not show that {control} is broken"


def test_a_kept_fault_comes_again(tmp_path):
    made, fault = lab.power_cuts(CONTROL_CUTS, CONTROL_SEED, tmp_path / "kept", "log-flush")
    assert fault
    for _ in range(2):
        with pytest.raises(lab.oracle.Fault):
            lab.replay(tmp_path / "kept")
