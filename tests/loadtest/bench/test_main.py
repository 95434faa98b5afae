import pytest

from loadtest.bench.__main__ import main


def test_alone_it_lists_the_benchmarks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in listed if line.startswith("  ./run")] == [
        ["./run", "bench", "commands"],
        ["./run", "bench", "engine"],
        ["./run", "bench", "facts"],
        ["./run", "bench", "social"],
    ]


def test_an_unknown_name_is_told_with_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["turbine"]) == 2
    said = capsys.readouterr().err
    assert "no benchmark 'turbine'" in said and "./run bench engine" in said


@pytest.mark.parametrize("name", ["commands", "engine", "facts", "social"])
def test_each_tells_its_options(capsys: pytest.CaptureFixture[str], name: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert f"./run bench {name}" in said and "--quick" in said and "--results" in said
