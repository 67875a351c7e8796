package natsstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
)

// A read asks any server that has the stream: mostly the one that the node is connected to. That
// server may lag behind the others, or be cut off from them. So a read that must not be out of date
// takes two steps. It first publishes a barrier: a message that is acknowledged when the majority has
// it. Then it reads the session and the barrier in one request. An answer that has the barrier, or a later one, has
// every write that was acknowledged before the read began. Concurrent reads share a barrier.

const (
	maxReads         = 128 // reads that share a barrier
	maxReadsInFlight = 4   // barriers of reads at a time
)

// errStale says that the server that has answered does not have the barrier yet.
var errStale = errors.New("the server that answers lags behind the others")

// read is a question and its answer.
type read struct {
	id  string
	st  state
	err error
}

// load reads what was acknowledged before the call, or later.
func (s *Store) load(ctx context.Context, id string) (state, error) {
	if s.single {
		return s.peek(ctx, id)
	}
	q, ok := s.reads.Do(ctx, read{id: id})
	if !ok {
		return state{}, ctx.Err()
	}
	return q.st, q.err
}

// sendReads answers the questions with one barrier, and one request if the answer is not too large.
func (s *Store) sendReads(ctx context.Context, questions []*read) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	subjects := []string{s.syncSubject}
	for _, q := range questions {
		subjects = append(subjects, s.idSubject(q.id))
	}
	var found map[string]state
	err := attempts(ctx, func(ctx context.Context) error {
		seq, err := s.putBarrier(ctx, s.syncSubject)
		if err != nil {
			return err
		}
		found, err = s.readSince(ctx, seq, subjects)
		return err
	})
	for i, q := range questions {
		q.st, q.err = found[subjects[i+1]], err
	}
}

// barrier is a message of this store that replaces its last one.
func (s *Store) barrier(subject string) message {
	return message{subject: subject, header: nats.Header{ttlHeader: {"60s"}}}
}

// putBarrier stores a barrier and returns its sequence. It may be stored twice, so nobody needs to know
// whether it has been.
func (s *Store) putBarrier(ctx context.Context, subject string) (uint64, error) {
	seq, err := s.request(ctx, s.barrier(subject))
	if errors.Is(err, errUnknown) {
		err = errSilent
	}
	return seq, err
}

// readSince reads what the subjects hold, from servers that have the sequence of the first one's message.
func (s *Store) readSince(ctx context.Context, seq uint64, subjects []string) (map[string]state, error) {
	found := make(map[string]state, len(subjects))
	for n := 0; ; n++ {
		answer, reached, more, err := s.answers.ask(ctx, s.conn, map[string]any{"multi_last": subjects})
		if err == nil && reached < seq {
			err = errStale
		}
		if errors.Is(err, errStale) && pause(ctx, n-4) {
			continue
		}
		if err != nil {
			return nil, cmpSilent(ctx, err)
		}
		for _, m := range answer {
			st, subject, err := decodeAnswer(m)
			if err != nil {
				return nil, err
			}
			found[subject] = st
		}
		if !more {
			return found, nil
		}
		rest := subjects[:1:1]
		for _, subject := range subjects[1:] {
			if _, ok := found[subject]; !ok {
				rest = append(rest, subject)
			}
		}
		subjects = rest
	}
}

// cmpSilent returns errSilent in place of an error that only says that the attempt has ended.
func cmpSilent(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w (%w)", errSilent, err)
	}
	return err
}

// peek reads what one server has. It may be out of date, except if only one server has the stream.
func (s *Store) peek(ctx context.Context, id string) (state, error) {
	return s.peekSubject(ctx, s.idSubject(id))
}

func (s *Store) peekSubject(ctx context.Context, subject string) (st state, err error) {
	err = attempts(ctx, func(ctx context.Context) error {
		m, err := s.conn.RequestWithContext(ctx, s.getSubject+"."+subject, nil)
		if err != nil {
			return s.noAnswer(err, 0)
		}
		switch status := m.Header.Get("Status"); status {
		case "":
			st, _, err = decodeAnswer(m)
			return err
		case "404":
			st = state{}
			return nil
		default:
			return fmt.Errorf("the server's answer to a read: %s %s", status, m.Header.Get("Description"))
		}
	})
	return st, err
}

// decodeAnswer reads a message that a server has found.
func decodeAnswer(m *nats.Msg) (st state, subject string, err error) {
	subject = m.Header.Get("Nats-Subject")
	seq := sequence(m)
	if seq == 0 || subject == "" {
		return st, subject, errors.New("the server's answer to a read has no sequence")
	}
	return decode(subject, seq, m.Header, m.Data), subject, nil
}

// sequence returns 0 for a message that has none.
func sequence(m *nats.Msg) uint64 {
	seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	if err != nil {
		return 0
	}
	return seq
}

// answers receives answers that have many messages, on one subscription.
type answers struct {
	get    string // where questions go
	prefix string
	sub    *nats.Subscription

	mu   sync.Mutex
	open map[string]chan *nats.Msg
}

// maxAnswer is more than the messages of an answer.
const maxAnswer = 512

func newAnswers(conn *nats.Conn, get string) (*answers, error) {
	a := &answers{get: get, prefix: conn.NewInbox() + ".", open: map[string]chan *nats.Msg{}}
	var err error
	a.sub, err = conn.Subscribe(a.prefix+"*", func(m *nats.Msg) {
		a.mu.Lock()
		c := a.open[m.Subject[len(a.prefix):]]
		a.mu.Unlock()
		select {
		case c <- m:
		default: // nobody waits, or an answer is too long
		}
	})
	if err != nil {
		return nil, err
	}
	return a, a.sub.SetPendingLimits(-1, -1)
}

// maxAnswerBytes ends an answer after the message that exceeds it. Without it an answer ends after
// the server's max_pending (64 MiB), and a server disconnects a client that it owes more than that.
const maxAnswerBytes = 4 << 20

// ask sends a question and returns the messages of the answer. The server has seen everything up to
// the sequence that it returns. More says that the server has more messages than the answer.
func (a *answers) ask(ctx context.Context, conn *nats.Conn, question map[string]any) (messages []*nats.Msg, reached uint64, more bool, err error) {
	question["max_bytes"] = maxAnswerBytes
	text, err := json.Marshal(question)
	if err != nil {
		return nil, 0, false, err
	}
	token, c := nuid.Next(), make(chan *nats.Msg, maxAnswer)
	a.mu.Lock()
	a.open[token] = c
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		delete(a.open, token)
		a.mu.Unlock()
	}()
	if err := conn.PublishRequest(a.get, a.prefix+token, text); err != nil {
		return nil, 0, false, unsent(err, len(text))
	}
	last := "0"
	for {
		var m *nats.Msg
		select {
		case <-ctx.Done():
			return nil, 0, false, errSilent
		case m = <-c:
		}
		switch status := m.Header.Get("Status"); status {
		case "":
			if m.Header.Get("Nats-Last-Sequence") != last {
				return nil, 0, false, errSilent // a message was lost on the way
			}
			last = m.Header.Get("Nats-Sequence")
			messages = append(messages, m)
		case "204":
			if m.Header.Get("Nats-Last-Sequence") != last {
				return nil, 0, false, errSilent
			}
			reached, _ = strconv.ParseUint(m.Header.Get("Nats-UpTo-Sequence"), 10, 64)
			more = m.Header.Get("Nats-Num-Pending") != "0"
			return messages, reached, more, nil
		case "404": // the server has no barrier of this store
			return nil, 0, false, nil
		case "503":
			return nil, 0, false, errUnsent
		default:
			return nil, 0, false, fmt.Errorf("the server's answer to a read: %s %s", status, strings.TrimSpace(m.Header.Get("Description")))
		}
	}
}
