"""The age of the approvals of what runs, compared with the limit of the policy (`recertify`)."""

from datetime import datetime
from typing import Literal

import msgspec

ApprovalAgeState = Literal["good", "due", "overdue"]


class ApprovalAge(msgspec.Struct, frozen=True, kw_only=True):
    """The time by which what runs has to be re-approved, and the state as of the time of the question."""

    until: datetime
    state: ApprovalAgeState
