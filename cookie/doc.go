// Package cookie writes and reads the signed cookie that carries a session's
// id, byte for byte as express-session does, so that both can serve the same
// browser. It knows nothing of sessions or stores.
//
// Writing: [Signer.AppendValue] signs and escapes the id, [Append] makes a
// Set-Cookie field of it. Reading: [Lookup] finds the value among the request's
// cookies, [Signer.Verify] gives back the id, if one of the secrets signed it.
//
// The functions that run at every request append to the caller's buffer or
// answer parts of their argument, in place of allocating.
package cookie
