package natsstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/nestsession/session/store"
)

// Headers of the servers.
const (
	operationHeader = "KV-Operation"
	ttlHeader       = "Nats-TTL"
	expectedHeader  = "Nats-Expected-Last-Subject-Sequence"
	batchHeader     = "Nats-Batch-Id"
	batchSequence   = "Nats-Batch-Sequence"
	batchCommit     = "Nats-Batch-Commit"
)

// batchHeaders is more than the headers of a batch take.
const batchHeaders = 128

// Errors of the servers' interface by their numbers.
const (
	codeUnavailable    = 10008
	codeResources      = 10023
	codeWrongSequence  = 10071
	codeWrongSequence2 = 10164
	codeTooLarge       = 10054
	codeDisk           = 10047
	codeMemory         = 10028
	codeNoStream       = 10059
	codeIncomplete     = 10176
	codeManyBatches    = 10210
	codeManyBatches2   = 10211
)

var (
	// errRefused says that the subject does not have the expected sequence, or that another write
	// of it is under way.
	errRefused = errors.New("the session changed meanwhile")

	// errUnsent says that a message was not taken by any server, so that it can be sent again.
	errUnsent = errors.New("no server takes the message: the servers have no leader or no majority at the moment, or none is connected")

	// errSilent says that an answer did not come, and errUnknown that this was the answer to a write.
	errSilent  = errors.New("no server has answered")
	errUnknown = fmt.Errorf("%w: it is not known whether the write has taken effect", errSilent)
)

// message is what is published to a subject.
type message struct {
	subject string
	header  nats.Header
	data    []byte
}

// marker replaces what a subject holds by the mark that it was deleted. Watchers get it; a server
// removes it later. That of a session lasts longer, see outlast; an entry of an index that comes back does no harm.
func marker(subject string) message {
	return message{subject: subject, header: nats.Header{operationHeader: {"DEL"}, ttlHeader: {"60s"}}}
}

// publish publishes the messages as one: all or none is stored. The last one is stored if its subject
// has the expected sequence. It returns the sequence of the last one. The caller limits ctx.
func (s *Store) publish(ctx context.Context, expected uint64, messages ...message) (uint64, error) {
	last := messages[len(messages)-1]
	last.header.Set(expectedHeader, strconv.FormatUint(expected, 10))
	size := len(last.data)
	if len(messages) > 1 {
		// The servers keep what comes before a message that the client then does not send for ten seconds,
		// and take no other batches when they keep too many.
		if int64((&nats.Msg{Subject: last.subject, Header: last.header, Data: last.data}).Size())+batchHeaders > s.conn.MaxPayload() {
			return 0, unsent(nats.ErrMaxPayload, size)
		}
		id := nuid.Next()
		for i, m := range messages {
			m.header.Set(batchHeader, id)
			m.header.Set(batchSequence, strconv.Itoa(i+1))
			if i < len(messages)-1 {
				if err := s.conn.PublishMsg(&nats.Msg{Subject: m.subject, Header: m.header, Data: m.data}); err != nil {
					return 0, unsent(err, size)
				}
			}
		}
		last.header.Set(batchCommit, "1")
	}
	return s.request(ctx, last)
}

// request publishes one message and waits for the answer.
func (s *Store) request(ctx context.Context, m message) (uint64, error) {
	answer, err := s.conn.RequestMsgWithContext(ctx, &nats.Msg{Subject: m.subject, Header: m.header, Data: m.data})
	if err != nil {
		return 0, s.noAnswer(err, len(m.data))
	}
	var ack struct {
		Error *apiError `json:"error"`
		Seq   uint64    `json:"seq"`
	}
	if err := json.Unmarshal(answer.Data, &ack); err != nil {
		return 0, fmt.Errorf("the server's answer to a write: %w", err)
	}
	if ack.Error != nil {
		return 0, ack.Error.meaning()
	}
	return ack.Seq, nil
}

// noAnswer is unsent for a request. If no server has the bucket, that may be because the only one has lost it.
func (s *Store) noAnswer(err error, size int) error {
	if s.single && errors.Is(err, nats.ErrNoResponders) {
		s.restore()
	}
	return unsent(err, size)
}

// unsent turns an error of the client into one of the package. An error that it does not know
// leaves open whether the message was sent.
func unsent(err error, size int) error {
	switch {
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, nats.ErrReconnectBufExceeded), errors.Is(err, nats.ErrDisconnected):
		return errUnsent
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("the session has %d bytes, which is more than the servers take (max_payload): %w", size, err)
	case errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrHeadersNotSupported):
		return fmt.Errorf("the connection: %w", err)
	}
	return errUnknown
}

// apiError is an error of the servers' interface.
type apiError struct {
	Code        int    `json:"err_code"`
	Description string `json:"description"`
}

func (e *apiError) meaning() error {
	switch e.Code {
	case codeWrongSequence, codeWrongSequence2:
		return errRefused
	case codeIncomplete, codeManyBatches, codeManyBatches2:
		return errUnsent
	case codeUnavailable:
		return errUnknown // a leader that has lost its place may answer so, too
	case codeDisk, codeMemory, codeResources:
		return fmt.Errorf("%w: the servers have no room (max_file_store, max_memory_store, or the account's limits): %s", store.ErrFull, e.Description)
	case codeTooLarge:
		return fmt.Errorf("the session is larger than the servers take (max_payload): %s", e.Description)
	case codeNoStream:
		return fmt.Errorf("the bucket was deleted: %s", e.Description)
	}
	return fmt.Errorf("the server refuses the write: %s (%d)", e.Description, e.Code)
}

// attempts calls try until it returns something other than errUnsent or errSilent, with a deadline
// for each call, because the answer of a server that dies does not come. It is for what may be done
// twice. It returns ctx's error when ctx ends.
func attempts(ctx context.Context, try func(ctx context.Context) error) error {
	for n := 0; ; n++ {
		err := once(ctx, n, try)
		if err == nil || !passing(err) {
			return err
		}
		if !pause(ctx, n) {
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

func passing(err error) bool { return errors.Is(err, errUnsent) || errors.Is(err, errSilent) }

// once makes the attempt with the number, with its deadline.
func once(ctx context.Context, n int, try func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, firstAttempt<<min(n, 3))
	defer cancel()
	return try(ctx)
}

// firstAttempt is how long the first attempt waits for an answer; later ones wait longer.
const firstAttempt = time.Second
