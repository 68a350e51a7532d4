import pytest

from proxy.destinations import _basket as basket
from proxy.event import Data, Item

MUG, CAP = Item(id="mug", quantity=2), Item(id="cap")


@pytest.mark.parametrize("item", [Item(name="no id"), Item(id=""), Item(id="a", quantity=0), Item(id="a", quantity=-1)])
def test_an_item_without_id_or_of_which_none_is_meant_does_not_count(item):
    assert basket.bought(Data(items=(MUG, item, CAP))) == [MUG, CAP]


def test_what_the_site_says_comes_before_what_can_be_counted():
    told = Data(items=(MUG, CAP), content_ids=("x", "", "y", "x"), num_items=0)
    assert (basket.ids(told, [MUG, CAP]), basket.count(told, [MUG, CAP])) == (["x", "y"], 0)
    assert (basket.ids(Data(), [MUG, CAP, MUG]), basket.count(Data(), [MUG, CAP])) == (["mug", "cap"], 3)
    assert (basket.ids(Data(), []), basket.count(Data(), [])) == (None, None)


def test_a_platforms_own_property_is_text_that_names_nobody():
    custom = {"a": "x", "b": 4, "c": "ann@example.com", "d": "not asked for"}
    assert basket.own_texts(custom, ("a", "b", "c", "e")) == {"a": "x", "b": None, "c": None, "e": None}
