// Package otelsession reports what sessions do to OpenTelemetry: a span for each load, save
// and store call under the request's span, and metrics. It needs the API of
// OpenTelemetry, and of the SDK only the types of [Durations]; the program chooses the SDK and the exporters.
//
//	telemetry, err := otelsession.New(otelsession.Options{})
//	if err != nil {
//		return err
//	}
//	defer telemetry.Close()
//	sessions, err := session.New[Account](telemetry.Instrument(session.Config{Secrets: secrets, Store: kept}))
//
// # Secrecy
//
// No span and no metric holds a session id, a cookie, a secret, an owner, a key of the store
// or the text of an error. A span names the session by its digest, as events do, in the
// attribute session.id. Metrics name no session.
//
// # Spans
//
// A call makes a span only if its context has a span that is recorded. Sessions never begin a
// trace, and a request that is not sampled costs almost nothing. docs/telemetry.md lists the
// names of all spans and metrics.
package otelsession
