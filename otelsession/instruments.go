package otelsession

import (
	"context"
	"errors"
	"path"
	"reflect"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store"
)

// The attributes. Those of OpenTelemetry have its names.
const (
	keySession   = attribute.Key("session.id")
	keyErrorType = attribute.Key("error.type")
	keySystem    = attribute.Key("db.system.name")
	keyCall      = attribute.Key("db.operation.name")
	keyOperation = attribute.Key("nestsession.operation")
	keyOutcome   = attribute.Key("nestsession.outcome")
	keyReason    = attribute.Key("nestsession.reason")
	keyKind      = attribute.Key("nestsession.event")
)

// operation is a call of a store.
type operation int

const (
	load operation = iota
	create
	update
	touch
	remove
	operations
)

var operationNames = [operations]string{"load", "create", "update", "touch", "delete"}

// outcome is how a call of a store ended.
type outcome int

const (
	ok outcome = iota
	notFound
	expired
	exists
	conflict
	full
	closed
	canceled
	timeout
	other
	outcomes
)

// outcomeNames are also the values of error.type; "_OTHER" is OpenTelemetry's own.
var outcomeNames = [outcomes]string{"ok", "not_found", "expired", "exists", "conflict", "full", "closed", "canceled", "timeout", "_OTHER"}

// failed reports whether the store did not do its work. That a session does not exist, or
// was changed meanwhile, is an answer.
func (o outcome) failed() bool { return o >= full }

func outcomeOf(err error) outcome {
	switch {
	case err == nil:
		return ok
	case errors.Is(err, store.ErrExpired):
		return expired
	case errors.Is(err, store.ErrNotFound):
		return notFound
	case errors.Is(err, store.ErrConflict):
		return conflict
	case errors.Is(err, store.ErrExists):
		return exists
	case errors.Is(err, store.ErrFull):
		return full
	case errors.Is(err, store.ErrClosed):
		return closed
	case errors.Is(err, context.DeadlineExceeded):
		return timeout
	case errors.Is(err, context.Canceled):
		return canceled
	}
	return other
}

// instruments are the metrics.
type instruments struct {
	meter metric.Meter
	tally tally

	duration                            metric.Float64Histogram
	loads, saves                        metric.Int64ObservableCounter
	conflicts, rejections, ends, events metric.Int64Counter
	streams                             metric.Int64UpDownCounter
	live, cacheSize                     metric.Int64ObservableGauge
	bound                               metric.Float64ObservableGauge
	hits, misses                        metric.Int64ObservableCounter
}

func (i *instruments) make(meter metric.Meter) (err error) {
	i.meter = meter
	var errs []error
	counter := func(name, unit, about string) metric.Int64Counter {
		c, err := meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(about))
		errs = append(errs, err)
		return c
	}
	i.conflicts = counter("nestsession.conflicts", "{conflict}", "Saves that found a newer version and were replayed on it.")
	i.rejections = counter("nestsession.rejections", "{cookie}", "Cookies that were not accepted, by nestsession.reason.")
	i.ends = counter("nestsession.ends", "{session}", "Sessions that ended, by nestsession.reason.")
	i.events = counter("nestsession.events", "{event}", "All events of sessions, by nestsession.event and nestsession.reason.")

	i.loads, err = meter.Int64ObservableCounter("nestsession.loads", metric.WithUnit("{load}"),
		metric.WithDescription("Loads of a session, by nestsession.outcome."))
	errs = append(errs, err)
	i.saves, err = meter.Int64ObservableCounter("nestsession.saves", metric.WithUnit("{save}"),
		metric.WithDescription("Writes of a session, by nestsession.operation and nestsession.outcome."))
	errs = append(errs, err)
	i.duration, err = meter.Float64Histogram("db.client.operation.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of the calls of the store."),
		metric.WithExplicitBucketBoundaries(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)) // as OpenTelemetry says
	errs = append(errs, err)
	i.streams, err = meter.Int64UpDownCounter("nestsession.streams", metric.WithUnit("{stream}"),
		metric.WithDescription("Open event streams and connections that were taken over."))
	errs = append(errs, err)
	i.live, err = meter.Int64ObservableGauge("nestsession.live", metric.WithUnit("{session}"),
		metric.WithDescription("Live sessions in the store, which all nodes share."))
	errs = append(errs, err)
	i.bound, err = meter.Float64ObservableGauge("nestsession.bound", metric.WithUnit("1"),
		metric.WithDescription("Share of the live sessions that are bound to a device."))
	errs = append(errs, err)
	i.hits, err = meter.Int64ObservableCounter("nestsession.cache.hits", metric.WithUnit("{load}"),
		metric.WithDescription("Loads that the near cache answered."))
	errs = append(errs, err)
	i.misses, err = meter.Int64ObservableCounter("nestsession.cache.misses", metric.WithUnit("{load}"),
		metric.WithDescription("Loads that the near cache passed on to the store."))
	errs = append(errs, err)
	i.cacheSize, err = meter.Int64ObservableGauge("nestsession.cache.size", metric.WithUnit("By"),
		metric.WithDescription("Memory of the near cache."))
	if err := errors.Join(append(errs, err)...); err != nil {
		return err
	}
	i.begin()
	return nil
}

// with returns the options of a measurement. They are made in advance, because making a set
// of attributes costs more than the measurement.
func with(a ...attribute.KeyValue) []metric.AddOption {
	return []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(a...))}
}

// begin reports zeros, so that the first rejection or conflict is an increase from 0 and not
// the first value of a series, in which no increase can be seen.
func (i *instruments) begin() {
	ctx := context.Background()
	i.conflicts.Add(ctx, 0)
	i.streams.Add(ctx, 0)
	for _, r := range []session.Reason{
		session.ReasonMalformed, session.ReasonSignature, session.ReasonDuplicate,
		session.ReasonUnknown, session.ReasonUndecodable, session.ReasonSuperseded,
	} {
		i.rejections.Add(ctx, 0, with(keyReason.String(string(r)))...)
	}
	for _, r := range []string{
		string(session.EventDestroyed), string(session.EventRevoked), string(session.EventRegenerated),
		string(session.ReasonIdle), string(session.ReasonAbsolute),
	} {
		i.ends.Add(ctx, 0, with(keyReason.String(r))...)
	}
	for _, k := range []session.EventKind{
		session.EventCreated, session.EventLoggedIn, session.EventRenewed, session.EventLoadFailed,
		session.EventSaveFailed, session.EventTouchFailed, session.EventDropped, session.EventCookieNotSent,
	} {
		i.events.Add(ctx, 0, with(keyKind.String(string(k)))...)
	}
}

// tally counts the calls. Each request makes some, so it is cheaper than a counter of the SDK,
// which reads it when metrics are collected.
type tally [operations][outcomes]atomic.Int64

// observe reports the calls. Those that went well are reported even if there were none.
func (i *instruments) observe(_ context.Context, to metric.Observer) error {
	for op := range operations {
		for o := range outcomes {
			n := i.tally[op][o].Load()
			if n == 0 && o != ok {
				continue
			}
			outcome := keyOutcome.String(outcomeNames[o])
			if op == load {
				to.ObserveInt64(i.loads, n, metric.WithAttributes(outcome))
			} else {
				to.ObserveInt64(i.saves, n, metric.WithAttributes(keyOperation.String(operationNames[op]), outcome))
			}
		}
	}
	return nil
}

// recordsFor returns the options of the durations of a store.
func (t *Telemetry) recordsFor(system string) *records {
	by := &records{system: keySystem.String(system)}
	for op := range operations {
		for o := range outcomes {
			attributes := []attribute.KeyValue{by.system, keyCall.String(operationNames[op])}
			if o.failed() {
				attributes = append(attributes, keyErrorType.String(outcomeNames[o]))
			}
			by.options[op][o] = []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(attributes...))}
		}
	}
	return by
}

type records struct {
	system  attribute.KeyValue
	options [operations][outcomes][]metric.RecordOption
}

// systemOf returns db.system.name of a store.
func (t *Telemetry) systemOf(s store.Store) string {
	if t.options.System != "" {
		return t.options.System
	}
	for {
		u, ok := s.(store.Unwrapper)
		if !ok || u.Unwrap() == nil {
			break
		}
		s = u.Unwrap()
	}
	of := reflect.TypeOf(s)
	if of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	switch name := path.Base(of.PkgPath()); name {
	case "memstore":
		return "memory"
	case "sqlstore":
		return "other_sql"
	case "redisstore":
		return "redis"
	case "pgxstore":
		return "postgresql"
	default:
		return strings.ToLower(name)
	}
}
