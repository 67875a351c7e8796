// Package session keeps HTTP sessions on the server. The browser has a signed id that
// means nothing by itself; the state is in a store, so that a session which ends here
// has ended everywhere.
//
// A handler declares the session that it needs as a typed parameter, as it would in
// NestJS with @Session():
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
//		http.Redirect(w, r, "/me", http.StatusSeeOther) // saved before this leaves
//	}
//
//	func me(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
//		fmt.Fprintln(w, s.Data().User)
//	}
//
// # Changes
//
// [Session.Data] is the request's own view of the data; [Session.Update] changes it. The
// functions given to Update are recorded and run again on whatever other requests have
// saved meanwhile, so that no concurrent change is lost; they must therefore be
// repeatable. What they changed is saved before the first byte of the response leaves:
// if that fails, the client gets an error response and nothing of the handler's.
//
// # Life of a session
//
// A visitor without a cookie costs the store nothing until something is put into the
// session. [Session.Login] is for the moment at which a user has shown who it is: a new
// id, the owner, and what the visitor had gathered. [Session.Renew] gives the same user's
// session a new id from time to time; [Session.Regenerate] ends it and begins an empty
// one; [Session.Destroy] ends it.
// What has ended stays ended: no request in flight writes it back. Sessions also end when
// they are not used for Config.IdleTimeout, at Config.AbsoluteTimeout, and by
// [Manager.Revoke] and [Manager.RevokeOwner].
//
// # Several ways in
//
// [Manager.HandlerFunc] passes the session as a parameter. [Manager.Handler] is middleware,
// after which [Manager.From] finds the session in a context. [Manager.Open] and
// [Manager.Commit] are for frameworks that are not net/http's.
//
// # Stores
//
// The default store is memory, package memstore. Another one implements the five methods
// of package store, and shows with package storetest that it keeps their contract. Package
// express is the configuration that shares cookies and stores with applications on
// express-session. Package sessiontest makes sessions for the unit test of a handler.
package session
