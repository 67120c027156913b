"""What a submit asks for, as one digest: an idempotency key that was used for something else is a mistake. Pure."""

from dataclasses import replace
from hashlib import sha256

from controller.model.codec import dump
from controller.model.job import JobSpec


def content_digest(spec: JobSpec) -> str:
    """SHA-256 of everything that a job asks for, its files by their digests; not of how it is written down."""
    return sha256(dump(replace(spec, source="")).encode()).hexdigest()


def retry_digest(job_id: int) -> str:
    """The same for a retry, whose content is the job that it retries."""
    return sha256(f"retry of {job_id}".encode()).hexdigest()
