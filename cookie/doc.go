// Package cookie writes and reads the signed cookie that contains a session's
// id, byte for byte as express-session does, so that both can serve the same
// browser. It does not depend on sessions or stores.
//
// Writing: [Signer.AppendValue] signs and escapes the id, and [Append] makes a
// Set-Cookie field from it. Reading: [Lookup] finds the value among the request's
// cookies, and [Signer.Verify] returns the id if one of the secrets signed it.
//
// The functions that run at every request append to the caller's buffer or
// return parts of their argument, and so do not allocate.
package cookie
