package otelsession

import (
	"context"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/nestsession/session"
)

// onEvent returns an OnEvent that counts the event, adds it to the request's span, and calls
// the previous one.
func (t *Telemetry) onEvent(before func(context.Context, session.Event)) func(context.Context, session.Event) {
	return func(ctx context.Context, e session.Event) {
		t.count(ctx, &e)
		if span := trace.SpanFromContext(ctx); span.IsRecording() {
			span.AddEvent("session."+strings.ReplaceAll(string(e.Kind), " ", "_"), trace.WithAttributes(attributesOf(&e)...))
		}
		if before != nil {
			before(ctx, e)
		}
	}
}

func (t *Telemetry) count(ctx context.Context, e *session.Event) {
	reason := string(e.Reason)
	switch e.Kind {
	case session.EventConflict:
		t.conflicts.Add(ctx, 1)
	case session.EventRejected:
		t.rejections.Add(ctx, 1, with(keyReason.String(reason))...)
	case session.EventExpired:
		t.ends.Add(ctx, 1, with(keyReason.String(reason))...)
	case session.EventDestroyed, session.EventRevoked, session.EventRegenerated:
		t.ends.Add(ctx, 1, with(keyReason.String(string(e.Kind)))...)
	}
	kind := keyKind.String(string(e.Kind))
	if reason == "" {
		t.events.Add(ctx, 1, with(kind)...)
		return
	}
	t.events.Add(ctx, 1, with(kind, keyReason.String(reason))...)
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
