package natsstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/nestsession/session/internal/feed"
	"github.com/nestsession/session/store"
)

// Watch implements [store.Watcher]. It reports everything that is written, also what Create and Touch
// write, and no expiry. It reports an event with Whole every [Config.Heartbeat] while the majority of
// the servers works. Until then Watch keeps trying, and reports no event.
func (s *Store) Watch(ctx context.Context, fn func(store.Event)) error {
	return s.changes.Watch(ctx, fn)
}

// timeout is how long a heartbeat may take to come back.
func (s *Store) timeout() time.Duration { return max(3*s.config.Heartbeat, time.Second) }

// listen makes a consumer and reports what it delivers, until that is not whole any more.
func (s *Store) listen(ctx context.Context, l *feed.Listener) error {
	messages := make(chan *nats.Msg, 4*feed.Backlog) // if it is full, the client drops messages, and a number is missing
	inbox, own := s.conn.NewInbox(), s.prefix+"sync."+"b"+nuid.Next()
	sub, err := s.conn.ChanSubscribe(inbox, messages)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }()
	name := nuid.Next()
	if err := s.consume(ctx, name, inbox, own); err != nil {
		return err
	}
	defer s.remove(name)
	h := heartbeats{store: s, feed: &l.Feed, subject: own, last: time.Now()}
	if err := h.send(); err != nil {
		return err
	}
	beat := time.NewTicker(s.config.Heartbeat)
	defer beat.Stop()
	first := true
	for delivered := uint64(1); ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-beat.C:
			if err := h.send(); err != nil {
				return err
			}
		case m := <-messages:
			meta, err := m.Metadata()
			if err != nil {
				continue // not of the consumer
			}
			if meta.Sequence.Consumer != delivered {
				return errors.New("changes were lost on the way")
			}
			delivered++
			if first {
				// Everything from the first heartbeat on is delivered, and that was sent before.
				l.Begin()
				l.Working()
				first = false
			}
			h.report(m, meta.Sequence.Stream)
		}
	}
}

// consume makes a consumer that sends the headers of what is written from now on to the inbox.
func (s *Store) consume(ctx context.Context, name, inbox, own string) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	_, err := s.js.CreatePushConsumer(ctx, s.stream, jetstream.ConsumerConfig{
		Name:              name,
		DeliverSubject:    inbox,
		DeliverPolicy:     jetstream.DeliverNewPolicy,
		AckPolicy:         jetstream.AckNonePolicy,
		FilterSubjects:    []string{s.prefix + "id.*", own},
		HeadersOnly:       true,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: time.Minute,
	})
	if err != nil {
		return fmt.Errorf("the consumer: %w", err)
	}
	return nil
}

// remove removes the consumer, if a server answers; else the servers do so after a minute.
func (s *Store) remove(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), firstAttempt/4)
	defer cancel()
	if s.conn.IsConnected() {
		_ = s.js.DeleteConsumer(ctx, s.stream, name)
	}
}

// report publishes what a message says.
func (h *heartbeats) report(m *nats.Msg, seq uint64) {
	if m.Subject == h.subject {
		h.back(m.Header.Get(beatHeader))
		return
	}
	e, ok := event(lastToken(m.Subject))
	if !ok {
		return
	}
	e.Version, e.Ended = store.Version(seq), isMarker(m.Header)
	if e.Ended {
		e.Version = 0
	}
	h.feed.Send(e)
}

// beatHeader numbers the heartbeats.
const beatHeader = "Nest-Beat"

// heartbeats are barriers that the consumer delivers, too. One that comes back proves that the
// majority of the servers works, and that all changes before it have been delivered.
type heartbeats struct {
	store   *Store
	feed    *feed.Feed
	subject string
	number  int
	sent    map[string]time.Time // those that have not come back
	last    time.Time            // when the last one that has come back was sent
}

// send sends one, or returns an error if none has come back for too long.
func (h *heartbeats) send() error {
	s, now := h.store, time.Now()
	if now.Sub(h.last) > s.timeout() {
		return fmt.Errorf("no heartbeat has come back for %v", s.timeout())
	}
	h.number++
	text := strconv.Itoa(h.number)
	if h.sent == nil {
		h.sent = map[string]time.Time{}
	}
	h.sent[text] = now
	m := s.barrier(h.subject)
	m.header.Set(beatHeader, text)
	err := s.conn.PublishMsg(&nats.Msg{Subject: m.subject, Header: m.header})
	if errors.Is(err, nats.ErrReconnectBufExceeded) {
		return nil // not connected; the next one may be
	}
	return err
}

// back reports that a heartbeat has come back.
func (h *heartbeats) back(text string) {
	at, ok := h.sent[text]
	if !ok {
		return
	}
	for other, when := range h.sent {
		if !when.After(at) {
			delete(h.sent, other)
		}
	}
	if at.After(h.last) {
		h.last = at
	}
	h.feed.Send(store.Event{Whole: at})
}
