// Package devicebound binds sessions to a key in the browser's device, so that a stolen
// cookie is of no use on another device (Device Bound Session Credentials, DBSC).
//
// It is experimental: the protocol is a draft of the W3C, Chromium implements it, and this
// package may change with it. Browsers without it go on as before.
//
//	binding, err := devicebound.New(sessions, devicebound.Config{Exclude: []string{"/login", "/logout"}})
//	if err != nil {
//		return err
//	}
//	return http.ListenAndServeTLS(addr, cert, key, binding.Handler(mux))
//
// The response to session.Session.Login asks the browser for a key. The browser keeps the
// private key in the device, registers the public key, and gets a second cookie, the bound
// cookie, which lives for 10 minutes. Before it sends a request without a valid bound cookie,
// it proves its key and gets the next one. From the first request that shows a bound cookie,
// a request without one is refused with 401, and the session goes on. A thief who has all
// cookies loses access when the browser proves its key the next time, after 10 minutes at the
// latest, and at once by trying to prove a key.
//
// The public key is a note in the session's record, which session.Session.UpdateNote
// replays. So it survives the pages that a browser loads while it makes its key. A proof
// costs one load and one write; a request costs nothing more than before.
//
// Browsers do this only over HTTPS.
package devicebound
