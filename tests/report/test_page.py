# Copyright (c) 2026 the kubenet.vxlan_offload authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page answers, and that each control does what it says."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

STATUSES = ("affected", "exposed", "unknown", "mitigated", "unaffected")


def test_the_headline_and_the_tiles_count_the_nodes(opened: Any, report: Any) -> None:
    tab = opened(report).tab
    number = report["summary"]["status"]
    assert tab.locator(".headline").inner_text() == f"{number['affected']} of {len(report['hosts'])} nodes are broken now"
    tiles = {status: int(tab.locator(f".tile.{status} .count").inner_text()) for status in STATUSES}
    assert tiles == number
    assert "lost-1" in tab.locator(".notice").first.inner_text()


def test_the_questions_are_answered_in_order(opened: Any, report: Any) -> None:
    titles = opened(report).tab.locator("h2:visible").all_inner_texts()
    assert titles == ["How many nodes are broken", "Why", "What to do, in this order", "Before and after", "Each node"]


def test_nodes_that_cannot_be_reached_are_one_cause(opened: Any, report: Any) -> None:
    tab = opened(report, address="#status=unknown").tab
    causes = tab.locator("#by-cause option").all_inner_texts()
    assert causes.count("unknown: unreachable") == 1


def test_a_tile_filters_and_clear_takes_it_back(opened: Any, report: Any) -> None:
    page = opened(report)
    page.tab.locator(".tile.mitigated").click()
    mitigated = {name for name, one in report["hosts"].items() if one["status"] == "mitigated"}
    assert set(page.names()) == mitigated and mitigated
    page.tab.locator("#clear").click()
    assert len(page.names()) == len(report["hosts"])
    assert page.errors == []


def test_a_cause_leads_to_its_nodes(opened: Any, report: Any) -> None:
    page = opened(report)
    link = page.tab.locator(".groups a").first
    number = int(link.inner_text().split()[0])
    link.click()
    assert len(page.names()) == number
    cause = page.tab.locator(".groups bdi").first.inner_text()
    assert {report["hosts"][name]["summary"] for name in page.names()} == {cause}


def test_a_thing_to_do_leads_to_its_nodes(opened: Any, report: Any) -> None:
    page = opened(report)
    page.tab.locator(".actions a").first.click()
    action = page.tab.locator(".actions .what bdi").first.inner_text()
    assert {report["hosts"][name]["action"] for name in page.names()} == {action}


def test_search_needs_every_word(opened: Any, report: Any) -> None:
    page = opened(report)
    page.tab.locator("#search").fill("flannel 3.10.0")
    expect(page.tab.locator("#rows .open")).to_have_count(1)
    assert page.names() == ["centos_7_flannel"]
    page.tab.locator("#search").fill("no such node")
    expect(page.tab.locator("#found")).to_have_text("No node matches")


def test_the_remedy_filter_shows_what_it_would_cure(opened: Any, report: Any) -> None:
    page = opened(report)
    page.tab.locator("#by-remedy").select_option("clear_mark")
    first = {
        name: next((r["id"] for r in one["remedies"] if r["applicable"] and not r["risk"]), "") for name, one in report["hosts"].items()
    }
    assert set(page.names()) == {name for name, remedy in first.items() if remedy == "clear_mark"}


@pytest.mark.parametrize("column", ["name", "summary", "action", "kernel", "proxy"])
def test_a_column_sorts_up_and_down(opened: Any, report: Any, column: str) -> None:
    page = opened(report)
    head = page.tab.locator(f'th[data-column="{column}"]')
    at = {"summary": 3, "action": 4, "kernel": 5, "proxy": 6}
    cell = f"td:nth-child({at[column]})" if column in at else ".open"
    compare = "(texts) => texts.slice().sort(new Intl.Collator('en', {numeric: true}).compare)"

    def texts() -> list[str]:
        found = page.tab.locator(f"#rows .row {cell}").all_text_contents()
        return ["" if one == "not known" else one for one in found]

    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert texts() == page.tab.evaluate(compare, texts())
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert texts()[::-1] == page.tab.evaluate(compare, texts()[::-1])


def test_the_worst_comes_first_without_a_wish(opened: Any, report: Any) -> None:
    statuses = [report["hosts"][name]["status"] for name in opened(report).names()]
    assert statuses == sorted(statuses, key=STATUSES.index)


def test_an_address_leads_to_one_node(opened: Any, report: Any) -> None:
    tab = opened(report, address="#node=rules-clear_mark_calico_first&status=mitigated").tab
    assert tab.locator(".node h3 bdi").inner_text() == "rules-clear_mark_calico_first"
    assert tab.locator("#by-status").input_value() == "mitigated"


@pytest.mark.parametrize(
    "name, end, said",
    [
        ("rules-calico_first_fixed", "bad", "The outer checksum breaks here"),
        ("rules-clear_mark_calico_first", "good", "The outer checksum is right"),
        ("rules-maybe_statistic", "maybe", "The outer checksum may break here"),
        ("not_root", "maybe", "Whether the outer checksum breaks is not known"),
    ],
)
def test_the_picture_ends_where_the_verdict_does(opened: Any, report: Any, name: str, end: str, said: str) -> None:
    page = opened(report, address=f"#node={name}&q={name}")
    picture = page.tab.locator(".picture svg").first
    assert said in picture.locator(f"text.{end}", has_text="checksum").first.text_content()
    assert said in picture.locator("desc").text_content()
    page.picture_of(f"node-{name}")


def test_the_picture_has_every_rule_of_the_walk(opened: Any, report: Any) -> None:
    name = "rules-clear_mark_calico_first"
    device = report["hosts"][name]["devices"][0]
    tab = opened(report, address=f"#node={name}").tab
    drawn = tab.locator(".picture svg").first.locator("text.rule title").all_text_contents()
    rules = [line.split(" ", 4)[4] for line in device["walk"]] + [one["rule"] for one in device["way"]["passed"]]
    assert sorted(drawn) == sorted(rules)
    cleared = tab.locator(".picture text", has_text="mark cleared")
    assert cleared.count() == 1
    # From there on the packet is drawn without the mark.
    rails = tab.locator(".picture .rail").evaluate_all("(lines) => lines.map((line) => line.classList[1])")
    assert rails[0] == "set" and rails[-1] == "clear" and rails == sorted(rails, reverse=True)


def test_a_node_shows_evidence_remedies_and_versions(opened: Any, report: Any) -> None:
    name = "fixed_kube_proxy_calico_first_nft"
    verdict = report["hosts"][name]
    text = opened(report, address=f"#node={name}").tab.locator(".node").inner_text()
    for condition in verdict["devices"][0]["conditions"].values():
        assert condition["evidence"] in text and condition["source"] in text
    for remedy in verdict["remedies"]:
        assert remedy["id"] in text and remedy["cost"] in text
    assert verdict["node"]["kernel"] in text and "1.28.3" in text and verdict["node"]["os"] in text


def earlier(report: Any) -> Any:
    """A report in which clear_mark was not applied yet, with one node more and one less."""
    before = copy.deepcopy(report)
    before["hosts"]["rules-clear_mark_calico_first"]["status"] = "affected"
    before["hosts"]["rules-calico_first_fixed"]["status"] = "unaffected"
    before["hosts"]["old-node"] = before["hosts"].pop("dead-2")
    return before


def changes_of(tab: Any) -> dict[str, list[str]]:
    found = {}
    for button in tab.locator(".changes button:enabled").all():
        button.click()
        found[button.get_attribute("data-change")] = tab.locator("#changes td:first-child").all_inner_texts()
    return found


def check_changes(found: dict[str, list[str]]) -> None:
    assert {key: names for key, names in found.items() if key != "same"} == {
        "worse": ["rules-calico_first_fixed"], "cured": ["rules-clear_mark_calico_first"], "new": ["dead-2"], "gone": ["old-node"],
    }  # fmt: skip


def test_two_reports_are_compared(opened: Any, report: Any) -> None:
    page = opened(report, before=earlier(report))
    said = page.tab.locator("#changes [role=status]").inner_text()
    assert said == "Since the earlier report: 1 worse, 1 cured, 1 new, 1 gone."
    check_changes(changes_of(page.tab))
    page.picture_of("compare")


def test_an_earlier_report_can_be_chosen_in_the_page(opened: Any, report: Any, tmp_path: Path) -> None:
    path = tmp_path / "fleet.json"
    path.write_text(json.dumps(earlier(report)))
    tab = opened(report).tab
    tab.locator("#earlier").set_input_files(str(path))
    tab.wait_for_selector(".changes button")
    check_changes(changes_of(tab))


@pytest.mark.parametrize("content", ["no json", "[]", '{"hosts": []}', '{"hosts": {"a": 1}}'])
def test_a_wrong_file_is_refused_in_words(opened: Any, report: Any, tmp_path: Path, content: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(content)
    page = opened(report)
    page.tab.locator("#earlier").set_input_files(str(path))
    page.tab.wait_for_selector("#compare-error:visible")
    assert "choose a fleet.json" in page.tab.locator("#compare-error").inner_text()
    assert page.errors == []


def test_a_change_leads_to_the_node_and_back_to_the_list(opened: Any, report: Any) -> None:
    tab = opened(report, before=earlier(report), address="#status=exposed").tab
    tab.locator('#changes a:has-text("rules-calico_first_fixed")').click()
    tab.wait_for_selector(".node")
    assert tab.locator(".node h3 bdi").inner_text() == "rules-calico_first_fixed"


def test_print_has_the_answers_and_what_is_filtered(opened: Any, report: Any) -> None:
    page = opened(report, address="#status=affected")
    page.tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.tab.emulate_media(media="print")
    assert not page.tab.locator("#search").is_visible() and not page.tab.locator("#theme").is_visible()
    assert page.tab.locator(".headline").is_visible() and page.tab.locator(".groups").is_visible()
    assert len(page.names()) == report["summary"]["status"]["affected"]
    assert page.tab.locator("#found").inner_text() == f"Printed: {len(page.names())} nodes. Only those with Status: affected."
    assert not page.tab.locator("#compare").is_visible()
    document = page.tab.pdf(format="A4")
    assert document.startswith(b"%PDF") and len(re.findall(rb"/Type\s*/Page\b", document)) >= 2
    page.picture_of("print")


def test_print_takes_all_pages_of_the_list(opened: Any, report: Any) -> None:
    many = {**report, "hosts": {f"{name}-{at}": one for name, one in report["hosts"].items() for at in range(5)}}
    page = opened(many)
    assert len(page.names()) == 50
    page.tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert len(page.names()) == len(many["hosts"]) > 50
    page.tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert len(page.names()) == 50


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_switch_turns_the_colours_round(opened: Any, report: Any, scheme: str) -> None:
    page = opened(report, color_scheme=scheme)
    ground = "getComputedStyle(document.body).backgroundColor"
    system = page.tab.evaluate(ground)
    page.picture_of(f"summary-{scheme}", full=False)
    page.tab.locator("#theme").click()
    turned = page.tab.evaluate(ground)
    assert turned != system
    page.tab.locator("#theme").click()
    assert page.tab.evaluate(ground) == system


def test_a_narrow_window_needs_no_scrolling_to_the_side(opened: Any, report: Any) -> None:
    page = opened(report, before=earlier(report), address="#node=not_root&q=not_root", viewport={"width": 390, "height": 800})
    page.picture_of("narrow")
    assert page.tab.evaluate("document.documentElement.scrollWidth") <= 390


def test_without_javascript_the_answers_are_there(opened: Any, report: Any) -> None:
    tab = opened(report, java_script_enabled=False).tab
    assert "broken now" in tab.locator(".headline").inner_text()
    assert tab.locator(".groups tbody tr").count() > 3 and tab.locator(".actions li").count() > 3
    assert "needs JavaScript" in tab.locator("#nodes").inner_text()
    assert not tab.locator("#compare").is_visible() and not tab.locator("#tools").is_visible()


def test_the_page_asks_nobody_for_anything(opened: Any, report: Any) -> None:
    page = opened(report, address="#node=not_root")
    assert [url for url in page.requests if not url.startswith("file://")] == [] and len(page.requests) == 1
    assert page.errors == []


def test_an_empty_report_and_one_of_an_earlier_version_have_a_page(opened: Any, report: Any) -> None:
    page = opened({"schema": 1, "hosts": {}, "summary": {}})
    assert page.tab.locator(".headline").inner_text() == "No node of 0 is broken now"
    old = copy.deepcopy(report)
    for one in old["hosts"].values():
        one.pop("node", None)
        for device in one["devices"]:
            del device["way"]
    later = opened(old, address="#node=rules-calico_first_fixed")
    assert "There is no picture" in later.tab.locator(".node").inner_text()
    assert page.errors + later.errors == []
