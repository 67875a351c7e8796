package telemetry

import (
	"net/http"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// methods are those that a span may name: a client can make up others.
var methods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

// Handler gives each request a span, and counts streams. The span has no path, no query and no
// address, because a path of an application may hold a secret, such as the link that resets a
// password. An application behind the server continues the trace.
func (t *Telemetry) Handler(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	next = t.sessions.CountStreams(next)
	if t.traces == nil {
		return next
	}
	tracer := t.traces.Tracer("github.com/nestsession/session/cmd/nestsession")
	var traces propagation.TraceContext
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, method := r.Context(), r.Method
		if t.trusts != nil && t.trusts(r) {
			ctx = traces.Extract(ctx, propagation.HeaderCarrier(r.Header))
		} else {
			r.Header.Del("Tracestate") // it belongs to the trace that is not continued
		}
		if !slices.Contains(methods, method) {
			method = "_OTHER"
		}
		ctx, span := tracer.Start(ctx, method, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attribute.String("http.request.method", method)))
		defer span.End()
		traces.Inject(ctx, propagation.HeaderCarrier(r.Header))
		s := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(s, r.WithContext(ctx))
		span.SetAttributes(attribute.Int("http.response.status_code", s.status))
		if s.status >= 500 {
			span.SetStatus(codes.Error, "")
		}
	})
}

// statusWriter keeps the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
