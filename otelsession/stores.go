package otelsession

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/nestsession/session/internal/ids"
	"github.com/nestsession/session/store"
)

// sessions is the store as the sessions see it, in front of a near cache if there is one: it
// counts loads and saves, and its spans name the session.
type sessions struct {
	store.Store
	t     *Telemetry
	names *ids.Maker // makes digests; nil: the secret is not known
}

// Unwrap implements [store.Unwrapper].
func (s *sessions) Unwrap() store.Store { return s.Store }

var sessionSpans = [operations]string{"session.load", "session.save", "session.save", "session.touch", "session.delete"}

// traced is the span of a call, and the span in which it was called. Both are nil if the call
// has no span.
type traced struct {
	span, caller trace.Span
	name         attribute.KeyValue // session.id; empty if it is not known
}

// begin starts a span if the request has one that is recorded.
func (s *sessions) begin(ctx context.Context, op operation, key string) (context.Context, traced) {
	caller := trace.SpanFromContext(ctx)
	if !caller.IsRecording() {
		return ctx, traced{}
	}
	ctx, span := s.t.tracer.Start(ctx, sessionSpans[op])
	by := traced{span: span, caller: caller}
	if s.names != nil {
		by.name = keySession.String(s.names.Digest(key))
		span.SetAttributes(by.name)
	}
	if op != load {
		span.SetAttributes(keyOperation.String(operationNames[op]))
	}
	return ctx, by
}

func (s *sessions) end(ctx context.Context, by traced, op operation, err error) {
	o := outcomeOf(err)
	if op == load {
		s.t.loads.Add(ctx, 1, s.t.loadsBy[o]...)
	} else {
		s.t.saves.Add(ctx, 1, s.t.savesBy[op][o]...)
	}
	if by.span == nil {
		return
	}
	if o == ok && (op == load || op == create) && by.name.Valid() { // an update may be of the old id, after a login
		by.caller.SetAttributes(by.name)
	}
	by.span.SetAttributes(keyOutcome.String(outcomeNames[o]))
	endSpan(by.span, o)
}

// endSpan ends the span. Its status has no text, because a driver's error may have a key in it.
func endSpan(span trace.Span, o outcome) {
	if o.failed() {
		span.SetAttributes(keyErrorType.String(outcomeNames[o]))
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// Load implements [store.Store].
func (s *sessions) Load(ctx context.Context, id string) (store.Record, error) {
	ctx, by := s.begin(ctx, load, id)
	r, err := s.Store.Load(ctx, id)
	s.end(ctx, by, load, err)
	return r, err
}

// Create implements [store.Store].
func (s *sessions) Create(ctx context.Context, r store.Record) (store.Version, error) {
	ctx, by := s.begin(ctx, create, r.ID)
	v, err := s.Store.Create(ctx, r)
	s.end(ctx, by, create, err)
	return v, err
}

// Update implements [store.Store].
func (s *sessions) Update(ctx context.Context, r store.Record) (store.Version, error) {
	ctx, by := s.begin(ctx, update, r.ID)
	v, err := s.Store.Update(ctx, r)
	s.end(ctx, by, update, err)
	return v, err
}

// Touch implements [store.Store].
func (s *sessions) Touch(ctx context.Context, id string, expires time.Time) error {
	ctx, by := s.begin(ctx, touch, id)
	err := s.Store.Touch(ctx, id, expires)
	s.end(ctx, by, touch, err)
	return err
}

// Delete implements [store.Store].
func (s *sessions) Delete(ctx context.Context, id string) error {
	ctx, by := s.begin(ctx, remove, id)
	err := s.Store.Delete(ctx, id)
	s.end(ctx, by, remove, err)
	return err
}

// sessionsSince is sessions in front of a [store.SinceLoader], which callers look for in the
// store itself.
type sessionsSince struct {
	*sessions
	since store.SinceLoader
}

// LoadSince implements [store.SinceLoader].
func (s *sessionsSince) LoadSince(ctx context.Context, id string, have store.Version) (store.Record, error) {
	ctx, by := s.begin(ctx, load, id)
	r, err := s.since.LoadSince(ctx, id, have)
	s.end(ctx, by, load, err)
	return r, err
}

// calls is the store behind a near cache, or the store itself: it measures how long its calls
// take.
type calls struct {
	store.Store
	t       *Telemetry
	records *records
}

// caller is a store that measures its calls.
type caller interface{ reportsTo() *Telemetry }

func (c *calls) reportsTo() *Telemetry { return c.t }

// Unwrap implements [store.Unwrapper].
func (c *calls) Unwrap() store.Store { return c.Store }

var callSpans = [operations]string{"store.load", "store.create", "store.update", "store.touch", "store.delete"}

func (c *calls) begin(ctx context.Context, op operation) (context.Context, trace.Span, time.Time) {
	began := time.Now()
	if !trace.SpanFromContext(ctx).IsRecording() {
		return ctx, nil, began
	}
	ctx, span := c.t.tracer.Start(ctx, callSpans[op], trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(c.records.system, keyCall.String(operationNames[op])))
	return ctx, span, began
}

func (c *calls) end(ctx context.Context, span trace.Span, began time.Time, op operation, err error) {
	o := outcomeOf(err)
	c.t.duration.Record(ctx, time.Since(began).Seconds(), c.records.options[op][o]...)
	if span != nil {
		endSpan(span, o)
	}
}

// Load implements [store.Store].
func (c *calls) Load(ctx context.Context, id string) (store.Record, error) {
	ctx, span, began := c.begin(ctx, load)
	r, err := c.Store.Load(ctx, id)
	c.end(ctx, span, began, load, err)
	return r, err
}

// Create implements [store.Store].
func (c *calls) Create(ctx context.Context, r store.Record) (store.Version, error) {
	ctx, span, began := c.begin(ctx, create)
	v, err := c.Store.Create(ctx, r)
	c.end(ctx, span, began, create, err)
	return v, err
}

// Update implements [store.Store].
func (c *calls) Update(ctx context.Context, r store.Record) (store.Version, error) {
	ctx, span, began := c.begin(ctx, update)
	v, err := c.Store.Update(ctx, r)
	c.end(ctx, span, began, update, err)
	return v, err
}

// Touch implements [store.Store].
func (c *calls) Touch(ctx context.Context, id string, expires time.Time) error {
	ctx, span, began := c.begin(ctx, touch)
	err := c.Store.Touch(ctx, id, expires)
	c.end(ctx, span, began, touch, err)
	return err
}

// Delete implements [store.Store].
func (c *calls) Delete(ctx context.Context, id string) error {
	ctx, span, began := c.begin(ctx, remove)
	err := c.Store.Delete(ctx, id)
	c.end(ctx, span, began, remove, err)
	return err
}

// callsSince is calls of a [store.SinceLoader].
type callsSince struct {
	*calls
	since store.SinceLoader
}

// LoadSince implements [store.SinceLoader].
func (c *callsSince) LoadSince(ctx context.Context, id string, have store.Version) (store.Record, error) {
	ctx, span, began := c.begin(ctx, load)
	r, err := c.since.LoadSince(ctx, id, have)
	c.end(ctx, span, began, load, err)
	return r, err
}
