"""The scenarios are commands that `segue bench` understands."""

import argparse

from segue.bench.cli import add_arguments
from segue.bench.comparison.bench_command import bench_command
from segue.bench.comparison.scenarios import ROUND_SCENARIOS
from segue.bench.target import Target


def parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(words)


def test_every_scenario_is_a_command_of_the_load_generator() -> None:
    for scenario in ROUND_SCENARIOS:
        target = Target(port=1234, destination="/queue/x", queues=scenario.queues)
        words = bench_command(scenario.words, target)
        parsed = parse(words[words.index("segue.bench") + 1 :])
        assert (parsed.broker, parsed.destination, parsed.queues) == ("127.0.0.1:1234", "/queue/x", scenario.queues)
        assert parsed.json


def test_every_scenario_has_a_name_of_its_own() -> None:
    assert len({scenario.name for scenario in ROUND_SCENARIOS}) == len(ROUND_SCENARIOS)


def test_a_shortened_scenario_differs_in_its_seconds_alone() -> None:
    for scenario in ROUND_SCENARIOS:
        before, after = (parse(words.split()) for words in (scenario.words, scenario.shortened(0.5).words))
        assert vars(after) == vars(before) | {"seconds": 0.5}


def test_all_shapes_end_to_end_have_a_thousand_messages_unconfirmed() -> None:
    shapes = [parse(scenario.words.split()) for scenario in ROUND_SCENARIOS if scenario.name.startswith("e2e")]
    assert [shape.producers * shape.window for shape in shapes] == [1000, 1000, 1000]
