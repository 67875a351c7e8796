// Package session keeps HTTP sessions on the server. The browser's cookie holds a signed,
// random id and no data. The data are in a store, so a session that ends on one server
// ends on all of them.
//
// A handler takes the session as a typed parameter, like @Session() in NestJS:
//
//	type Account struct {
//		User string `json:"user,omitempty"`
//	}
//
//	func routes(secret string) (http.Handler, error) {
//		sessions, err := session.New[Account](session.Config{
//			Secrets: []string{secret},
//			Cookie:  session.Cookie{MaxAge: 7 * 24 * time.Hour},
//		})
//		if err != nil {
//			return nil, err
//		}
//		mux := http.NewServeMux()
//		mux.HandleFunc("POST /login", sessions.HandlerFunc(login))
//		mux.HandleFunc("GET /me", sessions.HandlerFunc(me))
//		return mux, nil
//	}
//
//	func login(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
//		user, ok := r.FormValue("username"), true // check the password here
//		if !ok {
//			http.Error(w, "wrong username or password", http.StatusUnauthorized)
//			return
//		}
//		if err := s.Login(r.Context(), "user:"+user); err != nil {
//			http.Error(w, "try again", http.StatusServiceUnavailable)
//			return
//		}
//		s.Update(func(a *Account) { a.User = user })
//		http.Redirect(w, r, "/me", http.StatusSeeOther) // saved before this is sent
//	}
//
//	func me(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
//		fmt.Fprintln(w, s.Data().User)
//	}
//
// # Changes
//
// [Session.Data] returns the request's own view of the data. [Session.Update] changes it
// with a function, and records that function. If another request saves first, the recorded
// functions run again on what it saved, so no concurrent change is lost. For that they must
// be repeatable. The changes are saved before the first byte of the response is sent. If
// the save fails, the client gets an error response instead of the handler's.
//
// # Life of a session
//
// A visitor without a cookie makes no record in the store until a handler puts data into
// the session.
//
//   - [Session.Login] is for a user who has just logged in. It sets the owner, gives the
//     session a new id, and keeps the visitor's data.
//   - [Session.Renew] gives the session of the same user a new id.
//   - [Session.Regenerate] ends the session and begins an empty one.
//   - [Session.Destroy] ends the session.
//
// A session that has ended stays ended: no request in flight writes it back. A session also
// ends after Config.IdleTimeout without use, at Config.AbsoluteTimeout, and by
// [Manager.Revoke] and [Manager.RevokeOwner].
//
// # Handlers, middleware and frameworks
//
// [Manager.HandlerFunc] passes the session to the handler as a parameter. [Manager.Handler]
// is middleware: the handlers behind it call [Manager.From] with the request's context.
// [Manager.Open] and [Manager.Commit] are for frameworks that do not use net/http.
//
// # Stores
//
// The default store is package memstore, which keeps sessions in memory. Package store
// defines the interface of a store, which has five methods, and package storetest tests an
// implementation. Package express returns a configuration that shares cookies and stores
// with applications on express-session. Package sessiontest makes sessions for the unit
// tests of handlers.
package session
