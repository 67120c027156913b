"""The Enrolment service: how a board gets its certificate, and how it gets the next one."""

import logging

import grpc

from controller.model.access import EnrolmentClaim
from controller.service.certification import Certification
from controller.service.identity import current_caller
from controller.wire.time import to_duration
from jetfleet.errors import BadInput
from jetfleet.v1 import enrolment_pb2, enrolment_pb2_grpc

log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[object, object]

_LONGEST = 256


class EnrolmentService(enrolment_pb2_grpc.EnrolmentServicer):
    def __init__(self, certification: Certification) -> None:
        self._certification = certification

    async def Enroll(self, request: enrolment_pb2.EnrollRequest, context: Context) -> enrolment_pb2.EnrollResponse:
        claim = _claim(request)
        welcome, issued = await self._certification.enroll(request.secret, claim, request.csr_pem)
        log.info("device %s enrolled%s", welcome.device_id[:8], f" as {welcome.name}" if welcome.name else "")
        answer = enrolment_pb2.EnrollResponse(
            device_id=welcome.device_id,
            device_name=welcome.name,
            certificate_pem=issued.pem,
            lifetime=to_duration((issued.expires_at - issued.issued_at).total_seconds()),
            agents_port=self._certification.agents_port,
        )
        answer.now.GetCurrentTime()
        return answer

    async def RenewCertificate(
        self, request: enrolment_pb2.RenewCertificateRequest, context: Context
    ) -> enrolment_pb2.RenewCertificateResponse:
        caller = current_caller()
        issued = await self._certification.renew(caller, request.csr_pem)
        log.info("device %s has a new certificate, until %s", caller.user, issued.expires_at.isoformat())
        return enrolment_pb2.RenewCertificateResponse(
            certificate_pem=issued.pem,
            lifetime=to_duration((issued.expires_at - issued.issued_at).total_seconds()),
        )


def _claim(request: enrolment_pb2.EnrollRequest) -> EnrolmentClaim:
    """Raises BadInput."""
    for field in ("secret", "device_id", "hardware_serial", "name", "agent_version"):
        if len(getattr(request, field)) > _LONGEST:
            raise BadInput(f"{field} has more than {_LONGEST} characters")
    if not (request.device_id.isascii() and request.device_id.isalnum()):  # it becomes part of a URI
        raise BadInput("the device's id is not valid", where="device_id", expected="ASCII letters and digits")
    return EnrolmentClaim(request.device_id, request.name, request.hardware_serial, key_sha256="")
