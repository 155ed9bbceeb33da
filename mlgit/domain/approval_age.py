"""How old the approvals of what runs are, against what a policy allows."""

from datetime import datetime
from typing import Literal

import msgspec

ApprovalAgeState = Literal["good", "due", "overdue"]


class ApprovalAge(msgspec.Struct, frozen=True, kw_only=True):
    """Until when what runs need not be agreed to again, and how that stands at a moment."""

    until: datetime
    state: ApprovalAgeState
