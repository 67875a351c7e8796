// Package fibersession gives the handlers of Fiber v3 a session. It does by
// [session.Manager.Open] and [session.Manager.Commit] what [session.Manager.Handler] does for
// net/http.
//
//	app.Use(logger.New(), recover.New(), fibersession.New(sessions))
//	app.Get("/me", fibersession.Handler(sessions, func(c fiber.Ctx, s *session.Session[Account]) error {
//		return c.SendString(s.Data().User)
//	}))
//
// The session is saved when the handler has returned, before the headers are sent:
//
//   - A handler that returns nil, or an error below 500, saves. An error counts by its
//     [fiber.Error], and as a 500 if it has none, whatever the ErrorHandler makes of it.
//   - A handler that returns an error of 500 or more, or panics, saves nothing. The
//     ErrorHandler or the recoverer answers. A login or logout that the store has already
//     stays: the response carries its cookie. A handler that answers with a 5xx by itself
//     and returns nil saves. To save before an error, call [session.Session.Save].
//   - If the store fails, the ErrorHandler gets an error with status 503 and the client gets
//     nothing of the handler's response, and never the page of an anonymous visitor.
//
// Put middleware that answers for others, such as Fiber's logger and recoverer, outside of New.
//
// fasthttp does not notice that a client disconnects while a handler runs, so the handler's
// context does not end then. In a stream, the first write that fails shows it.
package fibersession
