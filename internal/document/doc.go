// Package document is the stored form of a session: one JSON object in express-session's
// layout, with the application's data as members, the member "cookie", and this library's
// bookkeeping under one reserved key, sealed with a secret (docs/stored-form.md).
//
// A Codec decodes a record into a Document, which requests share and nothing changes, and
// composes the next one. What the application's type does not know survives. A bounded
// cache keeps the decoded documents of sessions in use.
package document
