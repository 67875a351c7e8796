package otelsession

import (
	"context"
	"errors"
	"path"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

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

// instruments are the metrics. All but the durations are observed: they are counted here, and
// the SDK reads them when it collects metrics.
type instruments struct {
	meter    metric.Meter
	tally    tally
	happened happened
	open     atomic.Int64 // streams

	duration metric.Float64Histogram
	loads, saves, conflicts, rejections, ends, events, hits,
	misses metric.Int64ObservableCounter
	streams         metric.Int64ObservableUpDownCounter
	live, cacheSize metric.Int64ObservableGauge
	bound           metric.Float64ObservableGauge
}

func (i *instruments) make(meter metric.Meter) error {
	i.meter = meter
	var errs []error
	for _, m := range []struct {
		to                any
		name, unit, about string
	}{
		{&i.loads, "nestsession.loads", "{load}", "Loads of a session, by nestsession.outcome."},
		{&i.saves, "nestsession.saves", "{save}", "Writes of a session, by nestsession.operation and nestsession.outcome."},
		{&i.conflicts, "nestsession.conflicts", "{conflict}", "Saves that found a newer version and were replayed on it."},
		{&i.rejections, "nestsession.rejections", "{cookie}", "Cookies that were not accepted, by nestsession.reason."},
		{&i.ends, "nestsession.ends", "{session}", "Sessions that ended, by nestsession.reason."},
		{&i.events, "nestsession.events", "{event}", "All events of sessions, by nestsession.event and nestsession.reason."},
		{&i.streams, "nestsession.streams", "{stream}", "Open event streams and connections that were taken over."},
		{&i.live, "nestsession.live", "{session}", "Live sessions in the store, which all nodes share."},
		{&i.bound, "nestsession.bound", "1", "Share of the live sessions that are bound to a device."},
		{&i.hits, "nestsession.cache.hits", "{load}", "Loads that the near cache answered."},
		{&i.misses, "nestsession.cache.misses", "{load}", "Loads that the near cache passed on to the store."},
		{&i.cacheSize, "nestsession.cache.size", "By", "Memory of the near cache."},
		{&i.duration, durationName, durationUnit, durationAbout},
	} {
		var err error
		unit, about := metric.WithUnit(m.unit), metric.WithDescription(m.about)
		switch to := m.to.(type) {
		case *metric.Int64ObservableCounter:
			*to, err = meter.Int64ObservableCounter(m.name, unit, about)
		case *metric.Int64ObservableUpDownCounter:
			*to, err = meter.Int64ObservableUpDownCounter(m.name, unit, about)
		case *metric.Int64ObservableGauge:
			*to, err = meter.Int64ObservableGauge(m.name, unit, about)
		case *metric.Float64ObservableGauge:
			*to, err = meter.Float64ObservableGauge(m.name, unit, about)
		case *metric.Float64Histogram:
			*to, err = meter.Float64Histogram(m.name, unit, about,
				metric.WithExplicitBucketBoundaries(durationBounds[:]...))
		}
		errs = append(errs, err)
	}
	i.happened.begin()
	return errors.Join(errs...)
}

// tally counts the calls. Each request makes some, so it is cheaper than a counter of the SDK,
// which reads it when metrics are collected.
type tally [operations][outcomes]atomic.Int64

// observe reports the calls, the events and the streams. Calls that went well are reported even if
// there were none.
func (i *instruments) observe(to metric.Observer) {
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
	to.ObserveInt64(i.streams, i.open.Load())
	i.observeEvents(to)
}

// system is what measurements and spans say of a store's calls. It is made once, because making a
// set of attributes costs more than a measurement.
type system struct {
	series [operations][outcomes]series
	spans  [operations][]trace.SpanStartOption
}

// newSystem returns the system of calls that count in counts and are added up in durations, if these are
// not nil.
func newSystem(name string, counts *tally, durations *Durations) *system {
	s := &system{}
	for op := range operations {
		attributes := []attribute.KeyValue{keySystem.String(name), keyCall.String(operationNames[op])}
		s.spans[op] = []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...)}
		for o := range outcomes {
			of := attributes
			if o.failed() {
				of = append(slices.Clone(of), keyErrorType.String(outcomeNames[o]))
			}
			set := attribute.NewSet(of...)
			s.series[op][o].options[0] = metric.WithAttributeSet(set)
			if durations != nil {
				s.series[op][o].histogram = durations.histogram(set)
			}
			if counts != nil {
				s.series[op][o].tally = &counts[op][o]
			}
		}
	}
	return s
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
