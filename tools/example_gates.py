"""An example of each gate, for its page in the reference."""

from typing import Final

GATES: Final = {
    "integrity": "- id: integrity",
    "immutability": "- id: immutability",
    "data-contract": "- id: data-contract",
    "threshold": "- {id: threshold, metric: recall, min: 0.85}",
    "beats-baseline": "- {id: beats-baseline, margin: 0.01}",
    "beats-champion": "- {id: beats-champion, margin: -0.02}   # not worse than the champion by more than 0.02",
    "slice-harm": "- {id: slice-harm, metric: recall, max_drop: 0.02, min_rows: 200}",
    "slice-minimum": "- {id: slice-minimum, metric: recall, min: 0.7, interval: true}",
    "fairness": "- {id: fairness, columns: [sex], measure: selection_rate, min_ratio: 0.8}   # the four-fifths rule",
    "calibration": "- {id: calibration, max_ece: 0.05}",
    "leakage": "- {id: leakage, allowed: [radius]}   # known to be strong, and reviewed",
    "data-drift": "- {id: data-drift, max_columns: 2}",
    "card-complete": "- {id: card-complete, sections: [Intended use, Limitations]}",
    "size": "- {id: size, max_mb: 50}",
    "latency": "- {id: latency, max_p95_ms: 20}",
    "stored": "- id: stored",
    "model-safe": "- {id: model-safe, formats: [skops, onnx]}",
    "evaluation-fresh": "- {id: evaluation-fresh, max_age: 30d, severity: warn}   # shown, but blocks nothing",
    "signature-compatible": "- {id: signature-compatible, allow_added: true}",
    "environment-locked": "- id: environment-locked",
    "rescore": "- id: rescore",
    "reproduce": "- {id: reproduce, timeout: 2h, when: {risk: high}}   # only for problems of high risk",
    "exec": "- {id: exec, name: no-pii, command: [python, .mlgit/checks/no_pii.py], timeout: 1m, settings: {forbidden: [name]}}",
    "python": "- {id: python, name: acme-latency, settings: {p95_ms: 30}}",
}
"""For each gate, a line of a policy that requires it."""
