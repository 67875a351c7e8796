package natsstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// open opens the bucket.
func (s *Store) open(ctx context.Context) error {
	c, err := s.find(ctx)
	if err != nil {
		return err
	}
	s.single = c.Replicas == 1
	return s.check(c)
}

// restore makes the bucket again, in the background, if its only server does not have it any more: it was
// restarted and kept the bucket in its memory, or its disk was replaced. No session is left then.
// Several servers lose a bucket only together, and a member that comes back knows less than the others, so
// a bucket with more replicas is made again only by a node that starts.
func (s *Store) restore() {
	if !s.restoring.TryLock() {
		return
	}
	go func() {
		defer s.restoring.Unlock()
		ctx, cancel := context.WithTimeout(s.ending, s.config.Timeout)
		defer cancel()
		_, _ = s.find(ctx) // a call that goes on without it says what is wrong
	}()
}

// find finds the bucket or creates it. Other nodes may do the same at the same time.
func (s *Store) find(ctx context.Context) (jetstream.StreamConfig, error) {
	for n := 0; ; n++ {
		info, err := s.info(ctx, n)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			err = s.create(ctx, n)
			if err == nil {
				info, err = s.info(ctx, n)
			}
		}
		if err == nil {
			return info.Config, nil
		}
		if errors.Is(err, nats.ErrConnectionClosed) || !pause(ctx, n+4) {
			return jetstream.StreamConfig{}, err
		}
	}
}

// patience is how long the attempt with the number n waits for an answer. A question that reaches the
// servers while they elect a leader gets none, so the first attempts are short.
func patience(n int) time.Duration { return firstAttempt / 4 << min(n, 4) }

func (s *Store) info(ctx context.Context, n int) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, patience(n))
	defer cancel()
	stream, err := s.js.Stream(ctx, s.stream)
	if err != nil {
		return nil, err
	}
	return stream.CachedInfo(), nil
}

// create creates the bucket. Its settings are those of every key-value bucket, and a few more.
func (s *Store) create(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, patience(n))
	defer cancel()
	replicas, storage := s.config.Replicas, jetstream.FileStorage
	if replicas == 0 {
		replicas = 1
		if s.conn.ConnectedClusterName() != "" {
			replicas = 3
		}
	}
	if s.config.Memory {
		storage = jetstream.MemoryStorage
	}
	_, err := s.js.CreateStream(ctx, jetstream.StreamConfig{
		Name:              s.stream,
		Description:       "sessions of github.com/nestsession/session",
		Subjects:          []string{s.prefix + ">"},
		MaxMsgsPerSubject: 1,
		Discard:           jetstream.DiscardNew,
		DenyDelete:        true,
		AllowRollup:       true,
		AllowDirect:       true,
		Storage:           storage,
		Replicas:          replicas,

		AllowMsgTTL:        true,
		AllowAtomicPublish: true,
		// Sequences are versions. If the bucket is deleted and made again, they are not those of before.
		FirstSeq: uint64(time.Now().UnixMicro()),
	})
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return nil // another node was faster
	}
	return err
}

// check returns an error if the bucket has settings with which a Store does not keep its promises.
func (s *Store) check(c jetstream.StreamConfig) error {
	switch {
	case s.config.Replicas != 0 && c.Replicas != s.config.Replicas:
		return fmt.Errorf("it exists with %d replicas, and Config.Replicas is %d: change one of them (nats stream edit --replicas)", c.Replicas, s.config.Replicas)
	case !c.AllowAtomicPublish || !c.AllowMsgTTL:
		return errors.New("it does not allow TTLs and atomic batches: the servers have to be nats-server 2.12 or later, and the bucket has to be made by New, or with both allowed")
	case !c.AllowDirect || c.MaxMsgsPerSubject != 1:
		return errors.New("it has to allow direct reads, and to keep one value a key")
	case c.MaxBytes > 0 || c.MaxMsgs > 0 || c.MaxAge > 0:
		return errors.New("it has a limit of bytes, messages or age: when such a bucket is full, nobody can log out, and with an age, sessions end early")
	case c.Mirror != nil || len(c.Sources) > 0:
		return errors.New("it is a copy of another stream")
	}
	return nil
}
