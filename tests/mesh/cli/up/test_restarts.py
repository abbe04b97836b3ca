from hypothesis import given
from hypothesis import strategies as st

from mesh.cli.up.restarts import FIRST_PAUSE_S, LONGEST_PAUSE_S, REFUSED_PAUSE_S, Ended, Restarts

CRASHED = Ended(code=1, ran_s=0.5, was_ready=False)
KILLED_WHILE_SERVING = Ended(code=-9, ran_s=3.0, was_ready=True)
KILLED_AFTER_LONG = Ended(code=-9, ran_s=60.0, was_ready=True)
REFUSED = Ended(code=3, ran_s=0.5, was_ready=False)


def pauses_s(*ends: Ended) -> list[float]:
    state, pauses = Restarts(), []
    for ended in ends:
        pause_s, state = state.after(ended)
        pauses.append(pause_s)
    return pauses


def test_a_process_that_served_is_restarted_at_once() -> None:
    assert pauses_s(KILLED_WHILE_SERVING) == [0.0]


def test_the_pause_doubles_from_a_tenth_of_a_second_to_five() -> None:
    assert pauses_s(*[CRASHED] * 8) == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_a_second_death_soon_after_the_first_is_not_forgiven() -> None:
    assert pauses_s(*[KILLED_WHILE_SERVING] * 3) == [0.0, FIRST_PAUSE_S, 2 * FIRST_PAUSE_S]


def test_ten_seconds_of_service_reset_the_pause() -> None:
    assert pauses_s(*[CRASHED] * 6, KILLED_AFTER_LONG, CRASHED)[-2:] == [0.0, FIRST_PAUSE_S]


def test_a_refused_model_is_tried_again_only_slowly() -> None:
    assert pauses_s(REFUSED, REFUSED) == [REFUSED_PAUSE_S, REFUSED_PAUSE_S]


def test_exit_code_three_of_a_process_that_served_is_no_refusal() -> None:
    assert pauses_s(Ended(code=3, ran_s=3.0, was_ready=True)) == [0.0]


@given(st.lists(st.sampled_from([CRASHED, KILLED_WHILE_SERVING, KILLED_AFTER_LONG])))
def test_no_series_of_deaths_makes_anybody_wait_longer_than_the_longest_pause(ends: list[Ended]) -> None:
    assert all(0.0 <= pause_s <= LONGEST_PAUSE_S for pause_s in pauses_s(*ends))
