from loadtest.bench.figures import Figures, Target, ratio, verdicts


def test_a_ratio_is_taken_within_each_round() -> None:
    # the machine is half as fast after the first round: the ratio stays
    assert ratio([5, 10, 10], [10, 20, 20]) == 0.5
    assert ratio([1, 2, 9], [1, 1, 1]) == 2


def test_a_round_that_one_of_two_has_missed_is_left_out() -> None:
    assert ratio([2, 4], [1]) == 2
    assert ratio([], [1]) is None
    assert ratio([1], [0]) is None


def test_a_target_is_met_up_to_its_bound_and_missed_above_it() -> None:
    figures = Figures()
    figures.add("ack", "engine", 7)
    figures.add("ack", "node", 10)
    figures.add("close_block", "engine", 101)
    targets = (
        Target("ack", "engine", 0.7, "node"),
        Target("ack", "engine", 0.69, "node"),
        Target("close_block", "engine", 100),
    )
    assert [(verdict.reached, verdict.met) for verdict in verdicts(figures, targets)] == [
        (0.7, True),
        (0.7, False),
        (101, False),
    ]


def test_a_figure_that_should_be_high_misses_its_target_below_the_bound() -> None:
    figures = Figures()
    figures.add("rate", "product", 14)
    figures.add("rate", "node", 10)
    targets = [Target("rate", "product", bound, "node", "at least") for bound in (1.4, 1.5)]
    assert [verdict.met for verdict in verdicts(figures, targets)] == [True, False]


def test_a_target_without_figures_has_no_verdict() -> None:
    figures = Figures()
    figures.add("ack", "engine", 7)
    assert verdicts(figures, [Target("ack", "engine", 0.7, "node")]) == []
    assert figures.median("ack", "node") is None
