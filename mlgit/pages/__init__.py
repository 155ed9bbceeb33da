"""Pages for people: what an operation found, as a document, and its writers for Markdown and HTML."""
