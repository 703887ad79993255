"""The session summary: gathered under the caller's Grant, told in a language, as a document Bundle, a page or a PDF."""
