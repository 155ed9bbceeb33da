"""What this machine computes with, for measurements that depend on it."""

import os
import platform
import re
from pathlib import Path

_MAX_LENGTH = 100


def describe_processor(info: Path = Path("/proc/cpuinfo")) -> str:
    """Return the name of the processor and the number of cores, as one line of text.

    Args:
        info: Linux's list of processors; elsewhere, or where it names none, the architecture stands for it.
    """
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", info.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    except OSError:
        found = None
    name = found[1] if found else platform.processor() or platform.machine() or "unknown processor"
    plain = " ".join(re.sub(r"[^\x20-\x7e]+", " ", name).split())[:_MAX_LENGTH]
    return f"{plain}, {os.cpu_count() or 1} cores"
