"""Why results take their time, as data."""

from collections.abc import Sequence
from typing import Any

from controller.model.slow import Explained


def explained_records(found: Sequence[Explained]) -> list[dict[str, Any]]:
    return [
        {
            "measurement_id": item.row.measurement_id,
            "variant": item.row.label,
            "device": item.row.device,
            "p50_ms": item.row.measurement.p50_ms.value,
            "causes": [
                {"cause": cause.kind.name, "share": cause.share, "evidence": cause.evidence, "step": cause.step}
                for cause in item.causes
            ],
            "unknown": list(item.unknown),
        }
        for item in found
    ]
