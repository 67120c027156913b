"""`controller schema`: what job.yaml may say, for editors."""

import json


def schema() -> None:
    """Print the JSON Schema of job.yaml.

    Save it as jobspec.schema.json, and begin a job with `# yaml-language-server: $schema=./jobspec.schema.json`.
    """
    from controller.intake.jobfile.spec import json_schema

    print(json.dumps(json_schema(), indent=2))
