"""What schemathesis does not know: how records are put into lines."""

import json

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    if isinstance(value, (bytes, str)):
        return value
    return json.dumps(value)
