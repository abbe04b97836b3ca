from hypothesis import given
from hypothesis import strategies as st

from mesh.cli.up.restarts import FIRST_PAUSE_S, LONGEST_PAUSE_S, REFUSED_PAUSE_S, Exit, RestartPolicy

CRASHED = Exit(code=1, ran_s=0.5, was_ready=False)
KILLED_WHILE_SERVING = Exit(code=-9, ran_s=3.0, was_ready=True)
KILLED_AFTER_LONG = Exit(code=-9, ran_s=60.0, was_ready=True)
REFUSED = Exit(code=3, ran_s=0.5, was_ready=False)


def pauses_s(*ends: Exit) -> list[float]:
    policy, pauses = RestartPolicy(), []
    for end in ends:
        pause_s, policy = policy.after(end)
        pauses.append(pause_s)
    return pauses


def test_process_that_served_is_restarted_at_once() -> None:
    assert pauses_s(KILLED_WHILE_SERVING) == [0.0]


def test_pause_doubles_from_a_tenth_of_a_second_to_five() -> None:
    assert pauses_s(*[CRASHED] * 8) == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_second_end_soon_after_the_first_has_a_pause() -> None:
    assert pauses_s(*[KILLED_WHILE_SERVING] * 3) == [0.0, FIRST_PAUSE_S, 2 * FIRST_PAUSE_S]


def test_ten_seconds_of_service_reset_the_pause() -> None:
    assert pauses_s(*[CRASHED] * 6, KILLED_AFTER_LONG, CRASHED)[-2:] == [0.0, FIRST_PAUSE_S]


def test_refused_model_is_retried_after_a_long_pause() -> None:
    assert pauses_s(REFUSED, REFUSED) == [REFUSED_PAUSE_S, REFUSED_PAUSE_S]


def test_exit_code_three_after_serving_does_not_count_as_refusal() -> None:
    assert pauses_s(Exit(code=3, ran_s=3.0, was_ready=True)) == [0.0]


@given(st.lists(st.sampled_from([CRASHED, KILLED_WHILE_SERVING, KILLED_AFTER_LONG])))
def test_no_pause_exceeds_the_longest_pause(ends: list[Exit]) -> None:
    assert all(0.0 <= pause_s <= LONGEST_PAUSE_S for pause_s in pauses_s(*ends))
