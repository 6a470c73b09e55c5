"""An erased person's ids are removed by exact token, and their goals are not listed again."""

import json
import re

import pytest

from perfcopilot_goals.asana.walk import Walk
from perfcopilot_goals.core.erasure import Redaction, spellings
from perfcopilot_goals.core.goals import parse_goals, parse_subgoals
from perfcopilot_goals_tests.core.examples import WORKSPACE, goal_json


@pytest.mark.fault("H20")
@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("E003", "[erased]"),
        ("E002: 201, E003: 243, E0031: 250", "E002: 201, [erased]: 243, E0031: 250"),
        ("employee E003 owns 3 goals; claimed by E003.", "employee [erased] owns 3 goals; claimed by [erased]."),
        ("E003-b, xE003, E003_2, E003.1, a.E003, E003@x", "E003-b, xE003, E003_2, E003.1, a.E003, E003@x"),
        ("('E003'), \"E003\"\nE003", "('[erased]'), \"[erased]\"\n[erased]"),
        ("1200: 7", "[erased]: 7"),
        ("a+b (c), A+B (c)", "[erased], A+B (c)"),
        ("Team E003, E003", "Team E003, [erased]"),
        ("Ü5 ü5", "[erased] ü5"),
    ],
)
def test_an_id_is_taken_out_where_it_is_the_whole_token(text: str, redacted: str) -> None:
    redaction = Redaction("acme", {"E003", "1200", "a+b (c)", "Ü5"}, {"E002", "Team E003", "1201"})
    assert redaction.text(text) == redacted
    masked = redaction.masked(text)
    assert len(masked.encode()) == len(text.encode())
    assert re.split(r"\*+", masked) == redacted.split("[erased]")


@pytest.mark.fault("H20")
def test_an_event_loses_the_id_from_its_texts_and_keeps_dagsters_names() -> None:
    event = {
        "__class__": "EventLogEntry",
        "step_key": "goals",
        "pid": 7,
        "timestamp": 7.0,
        "run_id": "7",
        "dagster_event": {
            "event_specific_data": {
                "metadata": {
                    "count": {"__class__": "IntMetadataEntryData", "value": 7},
                    "ids": {"__class__": "TextMetadataEntryData", "text": "7: 243, 71"},
                    "more": {"__class__": "JsonMetadataEntryData", "data": {"who": ["7", "8"]}},
                },
                "partition": "7",
            },
            "logging_tags": {"step_key": "7"},
        },
        "error_info": {"message": "employee 7", "stack": ["in 7\n"], "cls_name": "7"},
        "user_message": "employee 7",
    }
    redacted = json.loads(Redaction("acme", {"7"}).event(json.dumps(event)))
    specific = redacted["dagster_event"]["event_specific_data"]
    assert specific["metadata"]["ids"]["text"] == "[erased]: 243, 71"
    assert specific["metadata"]["more"]["data"] == {"who": ["[erased]", "8"]}
    assert redacted["error_info"] == {"message": "employee [erased]", "stack": ["in [erased]\n"], "cls_name": "7"}
    assert redacted["user_message"] == "employee [erased]"
    # Everything else is byte for byte what Dagster wrote.
    specific["metadata"] |= event["dagster_event"]["event_specific_data"]["metadata"]  # type: ignore[index]
    redacted |= {name: event[name] for name in ("error_info", "user_message")}
    assert json.dumps(redacted) == json.dumps(event)


def state(cursor: object) -> str:
    """A sensor's state as Dagster stores it, with the cursor as a string."""
    text = cursor if isinstance(cursor, str) else json.dumps(cursor)
    return json.dumps({"__class__": "InstigatorState", "job_specific_data": {"cursor": text, "min_interval": 30}})


def cursor_of(document: str) -> str:
    text: str = json.loads(document)["job_specific_data"]["cursor"]
    return text


@pytest.mark.fault("H30")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            {"acme": {"E003": 243, "E0031": 201}, "globex": {"E003": 243}},
            {"acme": {"E0031": 201}, "globex": {"E003": 243}},
        ),
        ({"acme": ["E003", "E002"], "globex": ["E003"]}, {"acme": ["E002"], "globex": ["E003"]}),
        ({"acme": {"seen": "E002 and E003"}}, {"acme": {"seen": "E002 and [erased]"}}),
        ({"by name": {"acme": {"Ü5": 1, "ada": 2}}}, {"by name": {"acme": {"ada": 2}}}),
        ({"inner": json.dumps({"acme": {"Ü5": 1}})}, {"inner": json.dumps({"acme": {}})}),
        ([{"acme": {"E003": 1}}], [{"acme": {}}]),
    ],
    ids=["the alert's of before", "lists", "text", "deeper, beyond ASCII", "JSON again", "a list"],
)
def test_a_cursor_loses_only_the_persons_entry_of_this_connection(before: object, after: object) -> None:
    redacted = cursor_of(Redaction("acme", {"E003", "Ü5"}, {"E0031"}).event(state(before)))
    assert json.loads(redacted) == after


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "E003",
        "acme E003",
        '{"acme": {"E004":243},  "globex": {"E003": 1}}',
        '{"__class__": "RunStatusSensorCursor", "record_id": 7, "update_timestamp": "E003"}',
        '{"acme": ',
        '{"E003": {"E003": 1}}',
    ],
)
def test_a_cursor_without_an_entry_of_the_person_stays_byte_for_byte(cursor: str) -> None:
    document = state(cursor)
    assert Redaction("acme", {"E003"}).event(document) == document


@pytest.mark.fault("H30")
@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ('{"who": ["\\u00dc5", "E002"]}', {"who": ["[erased]", "E002"]}),
        ('{"\\u00dc5": 243, "E003: 2": 1}', {"[erased]": 243, "[erased]: 2": 1}),
        ('[{"said": "first line\\nE003"}]', [{"said": "first line\n[erased]"}]),
        (json.dumps({"inner": json.dumps(["E003", "E0031"])}), {"inner": '["[erased]", "E0031"]'}),
    ],
    ids=["in a list", "a key", "after a line's end", "JSON again"],
)
def test_text_that_is_json_is_read_as_json(text: str, redacted: object) -> None:
    redaction = Redaction("acme", {"E003", "Ü5"}, {"E0031"})
    event = json.dumps({"user_message": text, "partition": "E003"})
    assert json.loads(json.loads(redaction.event(event))["user_message"]) == redacted
    assert json.loads(redaction.event(event))["partition"] == "E003"


@pytest.mark.fault("H30")
def test_metadata_that_is_json_loses_an_id_that_is_a_key_and_keeps_dagsters_names() -> None:
    entry = {"__class__": "JsonMetadataEntryData", "data": {"E003": 243, "text": {"E003": ["E003"]}, "E0031": 201}}
    event = {"metadata": {"all": entry, "label": {"__class__": "TextMetadataEntryData", "text": "E003: 243"}}}
    redacted = json.loads(Redaction("acme", {"E003"}, {"E0031"}).event(json.dumps(event)))["metadata"]
    assert redacted["all"] == {
        "__class__": "JsonMetadataEntryData",
        "data": {"[erased]": 243, "text": {"[erased]": ["[erased]"]}, "E0031": 201},
    }
    assert redacted["label"] == {"__class__": "TextMetadataEntryData", "text": "[erased]: 243"}


def test_a_runs_config_that_somebody_typed_loses_the_id() -> None:
    config = {"ops": {"match": {"config": {"who": ["E003", "E002"], "note": "only E003"}}}}
    redacted = json.loads(Redaction("acme", {"E003"}).event(json.dumps({"run_config": config, "run_id": "E003"})))
    assert redacted["run_config"]["ops"]["match"]["config"] == {"who": ["[erased]", "E002"], "note": "only [erased]"}
    assert redacted["run_id"] == "E003"


@pytest.mark.fault("H30")
@pytest.mark.parametrize("who", ["E003", "Ü5", 'a"b', "a\\b", 'Ü"\\'], ids=ascii)
@pytest.mark.parametrize("is_ascii", [True, False])
def test_an_id_is_found_in_json_within_json_within_json(who: str, is_ascii: bool) -> None:
    document = who
    for _ in range(3):
        document = json.dumps({"is": document}, ensure_ascii=is_ascii)
        assert any(spelling in document for spelling in spellings(who))
        assert who not in Redaction("acme", {who}).text(document)


@pytest.mark.parametrize("document", ["", "no json", "{", "null", "7", '{"a": 1, "b":2}'])
def test_a_document_without_the_id_stays_as_it_is(document: str) -> None:
    assert Redaction("acme", {"7"}).event(document) == document


def test_a_syncs_notes_lose_the_id_and_a_list_of_ids_loses_the_entry() -> None:
    notes = {
        "unread": ["101", "102"],
        "unread_lists": 2,
        "route": "subgoals",
        "said": "goal 101",
        "inputs": {"a": None},
        "hidden": {"101": 3, "102": 1},
    }
    left = {"unread": ["102"], "said": "goal [erased]", "hidden": {"102": 1}}
    assert Redaction("acme", {"101"}).notes(notes) == notes | left


def test_an_id_that_is_a_word_of_the_sync_log_does_not_break_the_log() -> None:
    notes = {"tables": {"subgoals": {"notes": {"unread": ["tables", "7"], "route": "subgoals"}}}}
    redacted = Redaction("acme", {"tables", "unread"}).notes(notes)
    assert redacted == {"tables": {"subgoals": {"notes": {"unread": ["7"], "route": "subgoals"}}}}


def test_a_syncs_notes_on_hidden_sub_goals_lose_the_parents_id_and_keep_the_count() -> None:
    """If the id were a key, it would stay."""
    noted = Walk("subgoals", hidden={"101": 2, "102": 1}).notes()
    assert Redaction("acme", {"101"}).notes(noted) == noted | {
        "hidden": [{"goal_gid": "[erased]", "count": 2}, {"goal_gid": "102", "count": 1}]
    }


@pytest.mark.fault("H20")
def test_an_erased_owners_goals_are_not_listed_and_the_others_keep_their_place() -> None:
    answers = [
        goal_json(gid, owner={"gid": owner}) for gid, owner in (("1", "11"), ("2", "12"), ("3", "11"), ("4", "13"))
    ]
    everybody = parse_goals(answers, WORKSPACE)
    without = parse_goals(answers, WORKSPACE, lambda gid: gid == "11")
    assert list(without.rows["goal_gid"]) == ["2", "4"]
    kept = everybody.rows[everybody.rows["owner_gid"] != "11"].reset_index(drop=True)
    assert without.rows.equals(kept)
    assert list(without.rows["position"]) == [1, 3]


def test_a_key_result_of_an_erased_owner_stays_without_an_owner() -> None:
    answers = {"1": [goal_json("8", owner={"gid": "11"}, name="Publish"), goal_json("9", owner={"gid": "12"})]}
    rows = parse_subgoals(answers, lambda gid: gid == "11").rows
    assert list(rows["owner_gid"]) == [None, "12"]
    assert list(rows["name"]) == ["Publish", "Grow web traffic"]
