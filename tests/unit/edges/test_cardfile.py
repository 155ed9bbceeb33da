"""The reader of model cards."""

import pytest

from mlgit.edges.formats import cardfile
from mlgit.errors import MlgitError

DIGEST = "sha256:" + "0" * 64
FRONT = f"""---
library_name: sklearn
base_model: none
model-index:
- name: churn
  results:
  - task: {{type: tabular-classification}}
    dataset: {{name: customers, type: customers}}
    metrics:
    - {{type: roc_auc, value: 0.71}}
mlgit:
  model: churn
  problem: churn
  owner: "@acme/ml"
  risk: high
  artifact: {DIGEST}
  split: {DIGEST}
  x-note: ours
---
"""
BODY = (
    "# churn\n\n## Intended use\nTo call people before they leave.\n\n## Limits\nTODO\n\n---\n\nA rule is no fence.\n"
)


def test_a_card_is_its_facts_and_its_prose() -> None:
    card, text, document = cardfile.parse((FRONT + BODY).encode(), "card.md")
    assert (card.mlgit.model, card.mlgit.risk, card.library_name) == ("churn", "high", "sklearn")
    assert card.model_index[0].results[0].metrics[0].value == 0.71
    assert text.is_written("Intended use")
    assert not text.is_written("Limits")
    assert document.line_of(("mlgit", "owner")) == 14


def test_crlf_reads_the_same() -> None:
    lf = cardfile.parse((FRONT + BODY).encode(), "card.md")
    crlf = cardfile.parse((FRONT + BODY).replace("\n", "\r\n").encode(), "card.md")
    assert crlf[:2] == lf[:2]
    assert crlf[2].line_of(("mlgit",)) == lf[2].line_of(("mlgit",))


def test_a_card_without_prose_is_read() -> None:
    assert cardfile.parse(FRONT.rstrip().encode(), "card.md")[1].sections == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", [("card-front-matter-invalid", 1)], id="empty"),
        pytest.param(BODY, [("card-front-matter-invalid", 1)], id="no-fence"),
        pytest.param("\n" + FRONT, [("card-front-matter-invalid", 1)], id="fence-too-late"),
        pytest.param(FRONT.removesuffix("---\n") + "# churn\n", [("card-front-matter-invalid", 1)], id="not-closed"),
        pytest.param("---\n---\n" + BODY, [("document-empty", 1)], id="empty-front-matter"),
        pytest.param("---\na: 1\na: 2\n---\n", [("key-duplicate", 3)], id="duplicate-key"),
        pytest.param(FRONT + "<<<<<<< HEAD\n", [("merge-conflict-unresolved", 20)], id="conflict-in-the-prose"),
        pytest.param(FRONT + "\0", [("encoding-not-utf8", 20)], id="nul-in-the-prose"),
        pytest.param(
            FRONT.replace("model: churn", "modl: churn"), [("key-missing", 11), ("key-unknown", 12)], id="typo"
        ),
        pytest.param(FRONT.replace("high", "higher"), [("value-not-allowed", 15)], id="risk"),
        pytest.param(FRONT.replace("sklearn", "[5]"), [("type-mismatch", 2)], id="type"),
    ],
)
def test_refused(text: str, expected: list[tuple[str, int]]) -> None:
    with pytest.raises(MlgitError) as caught:
        cardfile.parse(text.encode(), "card.md")
    assert [(finding.id, finding.at.line if finding.at else None) for finding in caught.value.findings] == expected


# The card of a model, which people write


@pytest.mark.parametrize(
    ("text", "own", "prose"),
    [
        (BODY, {}, BODY),
        ("", {}, ""),
        ("---\nlicense: mit\ntags: [ours]\n---\n" + BODY, {"license": "mit", "tags": ["ours"]}, BODY),
        (
            "---\nlicense: other\nlicense_name: acme\nlicense_link: LICENSE\n---\nProse.\n",
            {"license": "other", "license_name": "acme", "license_link": "LICENSE"},
            "Prose.\n",
        ),
        ("A heading that is underlined\n---\n\nProse.\n", {}, "A heading that is underlined\n---\n\nProse.\n"),
    ],
    ids=["prose", "empty", "front-matter", "license", "underlined"],
)
def test_the_card_of_a_model_is_prose_and_what_people_state(text: str, own: dict[str, object], prose: str) -> None:
    assert cardfile.parse_model_card(text.encode(), "card.md") == (own, prose)


@pytest.mark.parametrize(
    ("text", "id_"),
    [
        ("---\nlicense: mit\n\n# churn\n", "card-front-matter-invalid"),
        ("license: mit\ntags:\n  - a\n---\n\n# churn\n", "card-front-matter-invalid"),
        ("---\nmodel-index: []\n---\n", "card-front-matter-invalid"),
        ("---\nlicense: other\n---\n", "card-license-unnamed"),
        ("---\nlicense: other\nlicense_name: acme\n---\n", "card-license-unnamed"),
        ("# churn\n\n\u202eFor everybody.\n", "text-hidden-character"),
        ("---\nlicense: mit\nlicense: gpl\n---\n", "key-duplicate"),
    ],
    ids=["never-ends", "never-begins", "computed", "unnamed", "unlinked", "hidden", "twice"],
)
def test_the_card_of_a_model_is_refused(text: str, id_: str) -> None:
    with pytest.raises(MlgitError) as caught:
        cardfile.parse_model_card(text.encode(), "card.md")
    assert [finding.id for finding in caught.value.findings] == [id_]


def test_a_license_needs_a_name_in_the_card_of_a_version_too() -> None:
    with pytest.raises(MlgitError, match="license_name and license_link"):
        cardfile.parse(FRONT.replace("base_model: none", "license: other").encode(), "card.md")
