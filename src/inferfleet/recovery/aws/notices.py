"""What a person reads when called: what happened, where, what was tried, and what to do."""

from inferfleet.recovery.aws.settings import Settings
from inferfleet.recovery.core.model import Intent
from inferfleet.recovery.core.terms import Severity

_SUBJECT_LIMIT = 100
"""SNS refuses longer subjects, and line breaks in them."""


def message(intent: Intent, settings: Settings) -> tuple[str, str]:
    """Subject and body of a notice.

    Raises:
        ValueError: If the intent carries no notice.
    """
    notice = intent.notice
    if notice is None:
        raise ValueError(f"intent {intent.id} carries no notice")
    prefix = "GPU recovery needs you" if notice.severity is Severity.PERSON else "GPU recovery"
    subject = f"{prefix}: {notice.what}".replace("\n", " ").encode("ascii", "replace").decode()[:_SUBJECT_LIMIT]
    lines = [
        notice.what,
        "",
        f"Where:  cluster {settings.cluster}, {notice.where}",
        f"Tried:  {notice.tried}",
        f"To do:  {notice.todo}",
    ]
    if intent.incident:
        lines.append(f"More:   inferfleet recovery explain {intent.incident}")
    return subject, "\n".join([*lines, "", f"({intent.id})"])
