package otelsession

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/nestsession/session"
)

// onEvent returns an OnEvent that counts the event, adds it to the request's span, and calls
// the previous one.
func (t *Telemetry) onEvent(before func(context.Context, session.Event)) func(context.Context, session.Event) {
	return func(ctx context.Context, e session.Event) {
		t.happened.of(e.Kind, e.Reason).Add(1)
		if span := trace.SpanFromContext(ctx); span.IsRecording() {
			span.AddEvent("session."+strings.ReplaceAll(string(e.Kind), " ", "_"), trace.WithAttributes(attributesOf(&e)...))
		}
		if before != nil {
			before(ctx, e)
		}
	}
}

// happened counts events. There are only as many as kinds and reasons.
type happened struct {
	mu  sync.RWMutex
	all map[happening]*atomic.Int64
}

type happening struct {
	kind   session.EventKind
	reason session.Reason
}

func (h *happened) of(kind session.EventKind, reason session.Reason) *atomic.Int64 {
	key := happening{kind, reason}
	h.mu.RLock()
	n := h.all[key]
	h.mu.RUnlock()
	if n != nil {
		return n
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if n = h.all[key]; n == nil {
		n = new(atomic.Int64)
		h.all[key] = n
	}
	return n
}

// begin reports zeros, so that the first rejection or conflict is an increase from 0 and not
// the first value of a series, in which no increase can be seen.
func (h *happened) begin() {
	h.all = map[happening]*atomic.Int64{}
	for _, r := range []session.Reason{
		session.ReasonMalformed, session.ReasonSignature, session.ReasonDuplicate,
		session.ReasonUnknown, session.ReasonUndecodable, session.ReasonSuperseded,
	} {
		h.of(session.EventRejected, r)
	}
	for _, r := range []session.Reason{session.ReasonIdle, session.ReasonAbsolute} {
		h.of(session.EventExpired, r)
	}
	for _, k := range []session.EventKind{
		session.EventCreated, session.EventLoggedIn, session.EventRenewed, session.EventRegenerated,
		session.EventDestroyed, session.EventRevoked, session.EventLoadFailed, session.EventSaveFailed,
		session.EventTouchFailed, session.EventDropped, session.EventCookieNotSent,
	} {
		h.of(k, "")
	}
}

// observeEvents reports all events, and those of them that have a metric of their own.
func (i *instruments) observeEvents(to metric.Observer) {
	conflicts, ends := int64(0), map[string]int64{}
	i.happened.mu.RLock()
	defer i.happened.mu.RUnlock()
	for what, counted := range i.happened.all {
		n, attributes := counted.Load(), []attribute.KeyValue{keyKind.String(string(what.kind))}
		reason := keyReason.String(string(what.reason))
		if what.reason != "" {
			attributes = append(attributes, reason)
		}
		to.ObserveInt64(i.events, n, metric.WithAttributes(attributes...))
		switch what.kind {
		case session.EventConflict:
			conflicts += n
		case session.EventRejected:
			to.ObserveInt64(i.rejections, n, metric.WithAttributes(reason))
		case session.EventExpired:
			ends[string(what.reason)] += n
		case session.EventDestroyed, session.EventRevoked, session.EventRegenerated:
			ends[string(what.kind)] += n
		}
	}
	to.ObserveInt64(i.conflicts, conflicts)
	for reason, n := range ends {
		to.ObserveInt64(i.ends, n, metric.WithAttributes(keyReason.String(reason)))
	}
}

// attributesOf leaves out the owner and the text of the error: both may name people, and the
// text is the store's own.
func attributesOf(e *session.Event) (all []attribute.KeyValue) {
	if e.Digest != "" {
		all = append(all, keySession.String(e.Digest))
	}
	if e.Former != "" {
		all = append(all, attribute.String("session.previous_id", e.Former))
	}
	if e.Reason != "" {
		all = append(all, keyReason.String(string(e.Reason)))
	}
	if e.Err != nil {
		all = append(all, keyErrorType.String(outcomeNames[outcomeOf(e.Err)]))
	}
	return all
}
