"""Networks side by side."""

from __future__ import annotations

import pytest

from archspec import api
from archspec.views.listing import Listed, listing_data, listing_table, short


def graphs() -> list[Listed]:
    return [Listed(api.compile(name)) for name in ("alexnet", "googlenet", "resnet18")]


def test_plugins_are_named_where_there_are_some() -> None:
    alexnet, googlenet, _ = graphs()
    lines = listing_table([alexnet, Listed(googlenet.graph, "archspec-x 1.0")]).splitlines()
    assert lines[0].split() == ["name", "params", "MACs", "plugin", "paper"]
    assert "archspec-x 1.0" in lines[2] and "archspec-x" not in lines[1]
    assert [data["plugin"] for data in listing_data([alexnet, Listed(googlenet.graph, "archspec-x 1.0")])] == [
        "",
        "archspec-x 1.0",
    ]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1.00k"),
        (9_994, "9.99k"),
        (9_996, "10.0k"),
        (269_722, "270k"),
        (999_499, "999k"),
        (999_500, "1.00M"),
        (60_965_224, "61.0M"),
        (999_950_000, "1.00G"),
        (19_632_062_464, "19.6G"),
        (5_000_000_000_000, "5000G"),
    ],
)
def test_short(number: int, text: str) -> None:
    assert short(number) == text


def test_a_line_for_each() -> None:
    assert listing_table(graphs()).splitlines() == [
        "name       params   MACs  paper",
        "alexnet     61.0M   724M  Krizhevsky, Sutskever, Hinton 2012, figure 2",
        "googlenet   13.4M  1.58G  Szegedy et al. 2015, Table 1 and figure 3",
        "resnet18    11.5M  1.79G  He et al. 2015, Table 1",
    ]


def test_lines_are_cut_to_the_width() -> None:
    assert listing_table(graphs(), 60).splitlines()[1:] == [
        "alexnet     61.0M   724M  Krizhevsky, Sutskever, Hinton...",
        "googlenet   13.4M  1.58G  Szegedy et al. 2015, Table 1...",
        "resnet18    11.5M  1.79G  He et al. 2015, Table 1",
    ]
    assert all(len(line) <= 10 for line in listing_table(graphs(), 10).splitlines())


def test_data_has_exact_counts() -> None:
    googlenet = listing_data(graphs())[1]
    assert googlenet["name"] == "googlenet"
    assert (googlenet["params"], googlenet["params_inference"]) == (13_378_280, 6_998_552)
    assert googlenet["macs"] == 1_582_671_872
    assert googlenet["paper"] == "Szegedy et al. 2015, Table 1 and figure 3"
