from sql.execution.array_parameters import array_parameters


async def method(*, name: str, ids: list[int]) -> int | None: ...


def test_a_value_is_one_array_and_a_list_is_three() -> None:
    parameters = array_parameters(method)
    assert {name: parameter.argument for name, parameter in parameters.items()} == {
        "names": "name",
        "ids": "ids",
        "ids_firsts": "ids",
        "ids_lasts": "ids",
    }
    lists = [[5, 6], [], [7], []]
    arrays = {name: parameter.make(lists) for name, parameter in parameters.items() if parameter.argument == "ids"}
    assert arrays == {"ids": [5, 6, 7], "ids_firsts": [1, 3, 3, 4], "ids_lasts": [2, 2, 3, 3]}
    assert [
        arrays["ids"][first - 1 : last] for first, last in zip(arrays["ids_firsts"], arrays["ids_lasts"], strict=False)
    ] == lists
