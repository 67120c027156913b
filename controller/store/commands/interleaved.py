"""Ratios of a task whose subjects were timed in turns, written once."""

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import Connection, insert

from controller.model.codec import dump
from controller.model.interleaved import Interleaved
from controller.store import interleaved_tables as t
from controller.store.row_digest import interleaved_digest
from jetfleet.metrics import NAMES


def insert_interleaved(connection: Connection, task_id: int, item: Interleaved) -> None:
    """Part of the commit of an attempt. Ratios of metrics that are not declared here are left out."""
    kept = replace(item, runs=tuple(replace(run, ratios=_declared(run.ratios)) for run in item.runs))
    kept = replace(kept, runs=tuple(run for run in kept.runs if run.ratios))
    connection.execute(
        insert(t.interleaved).values(
            task_id=task_id,
            looks=dump(kept.looks),
            margin=kept.margin,
            confidence=kept.confidence,
            stopped=kept.stopped,
            digest=interleaved_digest(task_id, kept),
        )
    )
    rows = [
        {
            "task_id": task_id,
            "run": run.index,
            "name": name,
            "value": value,
            "second_loaded_first": run.second_loaded_first,
            "left_out": run.left_out,
        }
        for run in kept.runs
        for name, value in run.ratios.items()
    ]
    if rows:
        connection.execute(insert(t.ratio), rows)


def _declared(ratios: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in ratios.items() if name in NAMES}
