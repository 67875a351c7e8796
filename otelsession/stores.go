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
	measure            // without a system, Store is a near cache or measures its own calls
	names   *ids.Maker // makes digests; nil: the secret is not known
}

func (s *sessions) reportsTo() *Telemetry {
	if s.system == nil {
		return nil
	}
	return s.t
}

// Unwrap implements [store.Unwrapper].
func (s *sessions) Unwrap() store.Store { return s.Store }

var sessionSpans = [operations]string{"session.load", "session.save", "session.save", "session.touch", "session.delete"}

// call is a call of a store that is under way.
type call struct {
	began time.Duration // 0: its duration is not measured
	spans *spans        // nil: the request has no span that is recorded
}

// spans are those of a call.
type spans struct {
	caller, session, store trace.Span         // session and store may be nil
	name                   attribute.KeyValue // session.id; empty if it is not known
	ctx                    context.Context    // of store, for the SDK, which keeps some measurements with their spans
}

// begin starts spans if the request has one that is recorded.
func (s *sessions) begin(ctx context.Context, op operation, key string) (context.Context, call) {
	var c call
	if caller := trace.SpanFromContext(ctx); caller.IsRecording() {
		c.spans = &spans{caller: caller}
		ctx = s.start(ctx, c.spans, op, key)
	}
	if s.system != nil {
		c.began = s.t.now()
	}
	return ctx, c
}

func (s *sessions) start(ctx context.Context, by *spans, op operation, key string) context.Context {
	var of [2]attribute.KeyValue
	attributes := of[:0]
	if s.names != nil {
		by.name = keySession.String(s.names.Digest(key))
		attributes = append(attributes, by.name)
	}
	if op != load {
		attributes = append(attributes, keyOperation.String(operationNames[op]))
	}
	ctx, by.session = s.t.tracer.Start(ctx, sessionSpans[op], trace.WithAttributes(attributes...))
	if s.system != nil {
		ctx = s.measure.start(ctx, by, op)
	}
	return ctx
}

func (s *sessions) end(c call, op operation, err error) {
	o := outcomeOf(err)
	if s.system != nil {
		s.measure.end(c, op, o)
	} else {
		s.t.tally[op][o].Add(1)
	}
	by := c.spans
	if by == nil {
		return
	}
	if o == ok && (op == load || op == create) && by.name.Valid() { // an update may be of the old id, after a login
		by.caller.SetAttributes(by.name)
	}
	by.session.SetAttributes(outcomeAttributes[o]...)
	endSpan(by.session, o)
}

// outcomeAttributes are made once.
var outcomeAttributes = func() (all [outcomes][]attribute.KeyValue) {
	for o := range outcomes {
		all[o] = []attribute.KeyValue{keyOutcome.String(outcomeNames[o])}
	}
	return all
}()

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
	s.end(by, load, err)
	return r, err
}

// Create implements [store.Store].
func (s *sessions) Create(ctx context.Context, r store.Record) (store.Version, error) {
	ctx, by := s.begin(ctx, create, r.ID)
	v, err := s.Store.Create(ctx, r)
	s.end(by, create, err)
	return v, err
}

// Update implements [store.Store].
func (s *sessions) Update(ctx context.Context, r store.Record) (store.Version, error) {
	ctx, by := s.begin(ctx, update, r.ID)
	v, err := s.Store.Update(ctx, r)
	s.end(by, update, err)
	return v, err
}

// Touch implements [store.Store].
func (s *sessions) Touch(ctx context.Context, id string, expires time.Time) error {
	ctx, by := s.begin(ctx, touch, id)
	err := s.Store.Touch(ctx, id, expires)
	s.end(by, touch, err)
	return err
}

// Delete implements [store.Store].
func (s *sessions) Delete(ctx context.Context, id string) error {
	ctx, by := s.begin(ctx, remove, id)
	err := s.Store.Delete(ctx, id)
	s.end(by, remove, err)
	return err
}

// sessionsSince is sessions in front of a [store.SinceLoader], which callers look for in the
// store itself.
type sessionsSince struct {
	sessions
	since store.SinceLoader
}

// LoadSince implements [store.SinceLoader].
func (s *sessionsSince) LoadSince(ctx context.Context, id string, have store.Version) (store.Record, error) {
	ctx, by := s.begin(ctx, load, id)
	r, err := s.since.LoadSince(ctx, id, have)
	s.end(by, load, err)
	return r, err
}

// measure measures how long calls of a store take. It is part of the stores here, and no object of its
// own, because each object that a request reads is one more that is not in the processor's caches.
type measure struct {
	t      *Telemetry
	system *system
}

func (m *measure) start(ctx context.Context, by *spans, op operation) context.Context {
	by.ctx, by.store = m.t.tracer.Start(ctx, callSpans[op], m.system.spans[op]...)
	return by.ctx
}

func (m *measure) end(by call, op operation, o outcome) {
	d := duration{m.t.now() - by.began, &m.system.series[op][o]}
	if by.spans == nil {
		m.t.keep(d)
		return
	}
	m.t.report(by.spans.ctx, d)
	endSpan(by.spans.store, o)
}

// calls is the store behind a near cache: it measures how long its calls take.
type calls struct {
	store.Store
	measure
}

// caller is a store that measures its calls.
type caller interface{ reportsTo() *Telemetry }

func (c *calls) reportsTo() *Telemetry { return c.t }

// Unwrap implements [store.Unwrapper].
func (c *calls) Unwrap() store.Store { return c.Store }

var callSpans = [operations]string{"store.load", "store.create", "store.update", "store.touch", "store.delete"}

func (c *calls) begin(ctx context.Context, op operation) (context.Context, call) {
	var by call
	if caller := trace.SpanFromContext(ctx); caller.IsRecording() {
		by.spans = &spans{caller: caller}
		ctx = c.start(ctx, by.spans, op)
	}
	by.began = c.t.now()
	return ctx, by
}

// Load implements [store.Store].
func (c *calls) Load(ctx context.Context, id string) (store.Record, error) {
	ctx, by := c.begin(ctx, load)
	r, err := c.Store.Load(ctx, id)
	c.end(by, load, outcomeOf(err))
	return r, err
}

// Create implements [store.Store].
func (c *calls) Create(ctx context.Context, r store.Record) (store.Version, error) {
	ctx, by := c.begin(ctx, create)
	v, err := c.Store.Create(ctx, r)
	c.end(by, create, outcomeOf(err))
	return v, err
}

// Update implements [store.Store].
func (c *calls) Update(ctx context.Context, r store.Record) (store.Version, error) {
	ctx, by := c.begin(ctx, update)
	v, err := c.Store.Update(ctx, r)
	c.end(by, update, outcomeOf(err))
	return v, err
}

// Touch implements [store.Store].
func (c *calls) Touch(ctx context.Context, id string, expires time.Time) error {
	ctx, by := c.begin(ctx, touch)
	err := c.Store.Touch(ctx, id, expires)
	c.end(by, touch, outcomeOf(err))
	return err
}

// Delete implements [store.Store].
func (c *calls) Delete(ctx context.Context, id string) error {
	ctx, by := c.begin(ctx, remove)
	err := c.Store.Delete(ctx, id)
	c.end(by, remove, outcomeOf(err))
	return err
}

// callsSince is calls of a [store.SinceLoader].
type callsSince struct {
	calls
	since store.SinceLoader
}

// LoadSince implements [store.SinceLoader].
func (c *callsSince) LoadSince(ctx context.Context, id string, have store.Version) (store.Record, error) {
	ctx, by := c.begin(ctx, load)
	r, err := c.since.LoadSince(ctx, id, have)
	c.end(by, load, outcomeOf(err))
	return r, err
}
