// Package websocketsession serves WebSockets that end with the session. After a logout on any
// node no message is sent any more, and the connection is closed with code 1008 and the
// reason. It is a thin layer over [github.com/coder/websocket].
//
//	mux.HandleFunc("GET /chat", sessions.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
//		err := websocketsession.Serve(w, r, s, websocketsession.Options{}, func(ctx context.Context, c *websocketsession.Conn) error {
//			for {
//				kind, message, err := c.Read(ctx)
//				if err != nil {
//					return err
//				}
//				if err := c.Write(ctx, kind, message); err != nil {
//					return err
//				}
//			}
//		})
//		…
//	}))
//
// Each message that is read counts as a use of the session. The session is only written once
// per Config.StoreLimits.TouchInterval. The session's methods work within the handler: Reload reads what
// other requests have saved, and Save writes what this connection has changed.
package websocketsession
