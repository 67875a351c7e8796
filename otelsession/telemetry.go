package otelsession

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/nestsession/session"
	"github.com/nestsession/session/internal/document"
	"github.com/nestsession/session/internal/ids"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/memstore"
	"github.com/nestsession/session/store/nearcache"
)

// scope is the name of the tracer and the meter.
const scope = "github.com/nestsession/session/otelsession"

// DefaultCountInterval is what a zero [Options.CountInterval] stands for.
const DefaultCountInterval = time.Minute

// Options say where telemetry goes. The zero value of each field is its default.
type Options struct {
	// TracerProvider makes the tracer. Default: otel.GetTracerProvider().
	TracerProvider trace.TracerProvider

	// MeterProvider makes the meter. Default: otel.GetMeterProvider().
	MeterProvider metric.MeterProvider

	// System is the attribute db.system.name of the store's calls, such as "postgresql".
	// Default: what the type of the store shows: "redis", "postgresql", "memory"; "other_sql"
	// for a sqlstore; otherwise the name of the store's package.
	System string

	// CountInterval is how often the live sessions are counted, at most, if the store is a
	// [store.Lister]. A count reads all records, in the background, so the next one also
	// waits 20 times as long as the last one took. Negative: never. Default: a minute.
	CountInterval time.Duration

	// BoundShare, if set, returns the share of the live sessions that are bound to a device,
	// from 0 to 1, and whether it is known. It is called at each collection of metrics, and
	// must return when ctx ends. [Telemetry.CountBound] is enough for a store that can list.
	BoundShare func(ctx context.Context) (share float64, known bool)

	// Durations, if set, adds up db.client.operation.duration, and costs less than the MeterProvider, which
	// does it by default. Give it to each reader of the MeterProvider, too, with
	// metric.WithProducer.
	Durations *Durations
}

// Telemetry instruments sessions. Make one with [New], for all managers of a process. Its
// methods are safe for concurrent use.
type Telemetry struct {
	options Options
	tracer  trace.Tracer
	instruments
	batch   batch
	isBound atomic.Pointer[func(noted) bool]

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	work sync.WaitGroup

	mu            sync.Mutex // guards what follows
	registrations []metric.Registration
	observed      map[any]bool // the stores whose observers are registered
	owned         []*memstore.Store
}

// New returns a Telemetry. The error is the meter's.
func New(o Options) (*Telemetry, error) {
	if o.TracerProvider == nil {
		o.TracerProvider = otel.GetTracerProvider()
	}
	if o.MeterProvider == nil {
		o.MeterProvider = otel.GetMeterProvider()
	}
	if o.CountInterval == 0 {
		o.CountInterval = DefaultCountInterval
	}
	t := &Telemetry{options: o, batch: batch{began: time.Now()}, tracer: o.TracerProvider.Tracer(scope), observed: map[any]bool{}}
	meter := o.MeterProvider.Meter(scope)
	if err := t.make(meter); err != nil {
		return nil, err
	}
	if err := t.register(func(_ context.Context, to metric.Observer) error {
		t.flush()
		t.observe(to)
		return nil
	}, t.loads, t.saves, t.conflicts, t.rejections, t.ends, t.events, t.streams); err != nil {
		return nil, err
	}
	t.ctx, t.stop = context.WithCancel(context.Background())
	if o.BoundShare != nil {
		err := t.register(func(ctx context.Context, to metric.Observer) error {
			if share, known := o.BoundShare(ctx); known {
				to.ObserveFloat64(t.bound, share)
			}
			return nil
		}, t.bound)
		if err != nil {
			return nil, err
		}
	}
	return t, nil
}

// now returns the time since t began.
func (t *Telemetry) now() time.Duration { return time.Since(t.batch.began) }

// noted is a session, or the [session.Info] of one, which have the notes of extensions.
type noted = interface{ Note(name string) string }

// CountBound reports the share of the live sessions for which bound returns true. They are counted
// with the live sessions. Give it devicebound's Binding.IsBound:
//
//	telemetry.CountBound(binding.IsBound)
//
// Call it once. For a store that cannot list its sessions there is [Options.BoundShare], which
// also goes before CountBound.
func (t *Telemetry) CountBound(bound func(s interface{ Note(name string) string }) bool) {
	t.isBound.Store(&bound)
}

// register adds a callback until Close.
func (t *Telemetry) register(fn metric.Callback, of ...metric.Observable) error {
	r, err := t.meter.RegisterCallback(fn, of...)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.registrations = append(t.registrations, r)
	return nil
}

// Instrument returns cfg with a Store and an OnEvent that report, for [session.New]. The
// previous OnEvent is called, too. If cfg has no Store, Instrument makes a memstore, which
// Close closes.
//
// A near cache answers most loads itself, so put the store behind it through
// [Telemetry.Store]: then the spans and the durations of the store's calls are those of the
// store, and not of the cache.
func (t *Telemetry) Instrument(cfg session.Config) session.Config {
	if cfg.Store == nil {
		kept := memstore.New(memstore.Config{Now: cfg.Now})
		t.mu.Lock()
		t.owned = append(t.owned, kept)
		t.mu.Unlock()
		cfg.Store = kept
	}
	t.observeStore(cfg.Store, document.NewSealer(cfg.Secrets, cfg.Scope, cfg.Express.InsecurePlainIDs, true))
	use := sessions{Store: cfg.Store, measure: measure{t: t}}
	if _, cached := store.As[*nearcache.Cache](cfg.Store); !cached && !t.measures(cfg.Store) {
		use.measure = t.measureOf(cfg.Store, &t.tally)
	}
	if len(cfg.Secrets) > 0 {
		use.names = new(ids.Maker)
		use.names.DigestWith(cfg.Secrets[0])
	}
	if since, ok := use.Store.(store.SinceLoader); ok {
		cfg.Store = &sessionsSince{use, since}
	} else {
		cfg.Store = &use
	}
	cfg.OnEvent = t.onEvent(cfg.OnEvent)
	return cfg
}

// Store returns a store that reports the calls of s: as spans, and in
// db.client.operation.duration. [store.As] finds what s can do. Use it for the store behind a
// near cache; for any other, [Telemetry.Instrument] is enough. A store that reports already is
// returned as it is.
func (t *Telemetry) Store(s store.Store) store.Store {
	if t.measures(s) {
		return s
	}
	c := calls{s, t.measureOf(s, nil)}
	if since, ok := s.(store.SinceLoader); ok {
		return &callsSince{c, since}
	}
	return &c
}

func (t *Telemetry) measures(s store.Store) bool {
	c, ok := store.As[caller](s)
	return ok && c.reportsTo() == t
}

func (t *Telemetry) measureOf(s store.Store, counts *tally) measure {
	return measure{t, newSystem(t.systemOf(s), counts, t.options.Durations)}
}

// observeStore registers the observers of a store, once.
func (t *Telemetry) observeStore(s store.Store, read *document.Sealer) {
	if reflect.TypeOf(s).Comparable() {
		t.mu.Lock()
		known := t.observed[s]
		t.observed[s] = true
		t.mu.Unlock()
		if known {
			return
		}
	}
	// Registering fails only for instruments of another meter.
	if near, ok := store.As[*nearcache.Cache](s); ok {
		_ = t.register(func(_ context.Context, to metric.Observer) error {
			stats := near.Stats()
			to.ObserveInt64(t.hits, int64(stats.Hits))
			to.ObserveInt64(t.misses, int64(stats.Misses))
			to.ObserveInt64(t.cacheSize, stats.Bytes)
			return nil
		}, t.hits, t.misses, t.cacheSize)
	}
	if lister, ok := store.As[store.Lister](s); ok && t.options.CountInterval > 0 {
		c := &counter{t: t, lister: lister, read: read, every: t.options.CountInterval}
		_ = t.register(c.observe, t.live, t.bound)
	}
}

// Close ends the counting of sessions and what New has registered. It closes the store that
// Instrument made, if it made one. Close the manager first.
func (t *Telemetry) Close() error {
	t.stop()
	t.flush()
	t.mu.Lock()
	registrations, owned := t.registrations, t.owned
	t.registrations, t.owned = nil, nil
	t.mu.Unlock()
	var errs []error
	for _, r := range registrations {
		errs = append(errs, r.Unregister())
	}
	t.work.Wait()
	for _, s := range owned {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// CountStreams returns a handler that counts the responses of next that are streams, as long
// as they last: event streams, and connections that were taken over, such as WebSockets.
func (t *Telemetry) CountStreams(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := &streamWriter{ResponseWriter: w, open: &t.open}
		defer s.end()
		next.ServeHTTP(s, r)
	})
}
