"""The homework API over HTTP. Docs: docs/homework-api.md."""
