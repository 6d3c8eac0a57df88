#!/usr/bin/env python3
"""Makes trust for a repository and delegates it to a team.

    python3 delegate.py dtr.example.org/dev/nginx qa

IMAGETRUST_ADDRESS, IMAGETRUST_CA, IMAGETRUST_CERT and IMAGETRUST_KEY say where the service is and who calls.
README.md says how the imported modules are generated.
"""

import os
import sys
import time
import uuid

import grpc
from google.rpc import error_details_pb2, status_pb2

from imagetrust.v1 import change_pb2, delegation_pb2, delegation_pb2_grpc, trust_pb2, trust_pb2_grpc

LIVE = (change_pb2.PUBLICATION_STATE_PUBLISHED, change_pb2.PUBLICATION_STATE_UNCHANGED)


def main(gun, team):
    with grpc.secure_channel(os.environ.get("IMAGETRUST_ADDRESS", "localhost:8443"), credentials()) as channel:
        trusts = trust_pb2_grpc.TrustServiceStub(channel)
        delegations = delegation_pb2_grpc.DelegationServiceStub(channel)
        try:
            initialized = change(trusts.InitializeTrust, trust_pb2.InitializeTrustRequest(gun=gun))
            report("InitializeTrust", initialized)
            delegated = change(delegations.Delegate, delegation_pb2.DelegateRequest(gun=gun, team=team))
            report("Delegate", delegated)
        except grpc.RpcError as error:
            explain(error)
            return 1
    return 0 if initialized.state in LIVE and delegated.state in LIVE else 3


def change(call, request):
    """Makes one change under one request_id.

    UNAVAILABLE means that repeating is safe: a change that was kept is not made again, and the repeat is answered with its
    state as of now.
    """
    request.options.request_id = str(uuid.uuid4())
    request.options.reason = "example"
    for attempt in range(1, 6):
        try:
            return call(request, timeout=15).outcome
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNAVAILABLE or attempt == 5:
                raise
            time.sleep(0.2 * 2**attempt)


def report(what, outcome):
    """Says what became of a change. An outcome that is not live is accepted and durable all the same."""
    print(f"{what}: {change_pb2.PublicationState.Name(outcome.state)}")
    for publication in outcome.publications:
        words = [change_pb2.PublicationState.Name(publication.state)]
        if publication.block_reason:
            words.append(change_pb2.BlockReason.Name(publication.block_reason))
        words.append(publication.detail or ", ".join(f"{role.role} {role.version}" for role in publication.roles))
        print(f"  {publication.gun}:", *words)


def explain(error):
    """Prints the reason and every field fault of a refusal; programs decide by the reason, not by the message."""
    print(f"{error.code().name}: {error.details()}", file=sys.stderr)
    trailers = {item.key: item.value for item in error.trailing_metadata() or ()}
    details = trailers.get("grpc-status-details-bin")
    if details is None:
        return
    for detail in status_pb2.Status.FromString(details).details:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            print(f"  reason: {info.reason}", file=sys.stderr)
        if detail.Unpack(bad):
            for fault in bad.field_violations:
                print(f"  {fault.field}: {fault.description}", file=sys.stderr)


def credentials():
    def pem(variable):
        with open(os.environ[variable], "rb") as file:
            return file.read()

    return grpc.ssl_channel_credentials(pem("IMAGETRUST_CA"), pem("IMAGETRUST_KEY"), pem("IMAGETRUST_CERT"))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: delegate.py GUN TEAM")
    sys.exit(main(sys.argv[1], sys.argv[2]))
