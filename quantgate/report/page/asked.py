"""What was asked: the prompt of an item, from its record or its suite; and the tokens of a text, by the checkpoint's own tokenizer.

Only a suite with the record's fingerprint answers; another of the same name asked something else.
"""

from collections.abc import Callable
from pathlib import Path

from quantgate.errors import QuantgateError
from quantgate.fingerprint import of_tokenizer, tokenizer
from quantgate.records import Answer, Answers, Measurement, TextLoss
from quantgate.registry import Registry, in_cache
from quantgate.suites import CodeSuite, QuestionSuite, Suite, TextSuite, encode

Load = Callable[[str], Suite | None]
"""A suite by its name, or None; raises a QuantgateError, or an OSError, where its data are not here."""


class Asked:
    """Looks things up, each suite loaded once. Without a registry, or without the data, there are only the records themselves."""

    def __init__(self, load: Load, registry: Registry | None) -> None:
        self._load, self._registry = load, registry
        self._suites: dict[str, Suite | None] = {}
        self._prompts: dict[tuple[str, str], dict[str, str]] = {}

    def prompt(self, record: Answers, item: Answer) -> str | None:
        """None where neither the record nor a suite tells."""
        if item.prompt is not None:
            return item.prompt
        key = (record.suite, record.provenance.suite_fingerprint)
        if key not in self._prompts:
            suite = self._suite(record)
            if isinstance(suite, QuestionSuite):
                self._prompts[key] = {one.id: one.prompt for one in suite.questions}
            else:
                self._prompts[key] = {one.id: one.prompt for one in suite.tasks} if isinstance(suite, CodeSuite) else {}
        return self._prompts[key].get(item.id, self._prompts[key].get(item.id.rpartition("#")[0]))

    def text(self, record: TextLoss, document: str) -> str | None:
        """The whole text of a document; of one of its windows, too."""
        suite = self._suite(record)
        known = {one.id: one.text for one in suite.documents} if isinstance(suite, TextSuite) else {}
        return known.get(document, known.get(document.rpartition("-")[0]))

    def tokens(self, record: TextLoss, document: str) -> list[str] | None:
        """The scored tokens of a document, as text, in the order of their losses; None where suite or tokenizer are not here."""
        suite, folder = self._suite(record), self._tokenizer(record)
        if not isinstance(suite, TextSuite) or folder is None:
            return None
        within = TextSuite(suite.name, [one for one in suite.documents if f"{document}-".startswith(f"{one.id}-")], suite.cut)
        for one in encode(within, folder, self._longest(record)):
            if one.id == document:
                read = tokenizer(folder)
                return [read.decode([token], skip_special_tokens=False) for token in one.ids[one.first :]]
        return None

    def _longest(self, record: Measurement) -> int | None:
        """Tokens that the checkpoint's server took."""
        families = self._registry.family if self._registry is not None else []
        served = (one.serve for family in families if family.name == record.family for one in family.checkpoint)
        return next((serve.max_model_len for serve in served), None)

    def _tokenizer(self, record: TextLoss) -> Path | None:
        for family in self._registry.family if self._registry is not None else []:
            reference = family.reference() if family.name == record.family else None
            folder = in_cache(reference) if reference is not None else None
            try:
                if folder is not None and of_tokenizer(folder) == record.provenance.tokenizer_fingerprint:
                    return folder
            except (QuantgateError, OSError):
                continue
        return None

    def _suite(self, record: Measurement) -> Suite | None:
        if record.suite not in self._suites:
            try:
                self._suites[record.suite] = self._load(record.suite)
            except (QuantgateError, OSError):
                self._suites[record.suite] = None  # its data are not on this machine; the record has what it has
        suite = self._suites[record.suite]
        return suite if suite is not None and suite.fingerprint == record.provenance.suite_fingerprint else None
