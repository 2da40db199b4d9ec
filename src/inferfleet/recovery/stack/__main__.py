"""The CDK app of recovery alone, for a cluster that exists; its settings are environment variables."""

import os
import sys

from inferfleet.errors import InferfleetError
from inferfleet.recovery.stack.options import options_from


def main() -> int:
    """Writes the cloud assembly where the CDK command line wants it."""
    try:
        options = options_from(os.environ)
    except InferfleetError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    from aws_cdk import App, Environment

    from inferfleet.recovery.stack.stack import EcsGpuRecoveryStack

    app = App()
    where = Environment(account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region=os.environ.get("CDK_DEFAULT_REGION"))
    EcsGpuRecoveryStack(app, options=options, env=where)
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
