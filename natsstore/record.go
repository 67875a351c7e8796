package natsstore

import (
	"encoding/binary"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nestsession/session/store"
)

// format is the first byte of a message that holds a session, or an entry of an owner's index.
const format = 1

// never is the time in milliseconds of what does not expire.
const never = math.MaxInt64

// state is what the stream holds for an id.
type state struct {
	seq     uint64 // 0: nothing
	live    bool   // false: nothing, or the marker of a deletion
	nonce   uint64
	id      string
	owner   string
	expires int64 // in milliseconds since 1970, or never
	indexed int64 // how long the entry in the owner's index lasts at least
	lasts   int64 // how long the servers keep the message, less ClockSlack; it is at least as long as any session before it
	data    []byte
}

var errFormat = errors.New("the message is not a session")

// encode returns the message of a session: format, nonce, expiry, end of the entry, the lengths of id and
// owner, id, owner, data. The id is empty if the subject holds it.
func (st state) encode() []byte {
	id := st.id
	if token(id)[0] == 'i' {
		id = ""
	}
	b := make([]byte, 0, 1+8+8+8+2*binary.MaxVarintLen64+len(id)+len(st.owner)+len(st.data))
	b = append(b, format)
	b = binary.BigEndian.AppendUint64(b, st.nonce)
	b = binary.BigEndian.AppendUint64(b, uint64(st.expires))
	b = binary.BigEndian.AppendUint64(b, uint64(st.indexed))
	b = binary.AppendUvarint(b, uint64(len(id)))
	b = binary.AppendUvarint(b, uint64(len(st.owner)))
	b = append(b, id...)
	b = append(b, st.owner...)
	return append(b, st.data...)
}

// decode reads a message of the subject. A message of another program is a session without data, so
// that it can be replaced and deleted.
func decode(subject string, seq uint64, h nats.Header, b []byte) state {
	lasts := lasting(h)
	if isMarker(h) {
		return state{seq: seq, lasts: lasts}
	}
	st, err := parse(b)
	if err != nil {
		st = state{expires: never}
	}
	st.seq, st.lasts, st.live, st.id = seq, lasts, true, idOf(lastToken(subject), st.id)
	return st
}

// lasting is how long the servers keep a message with these headers, less ClockSlack.
func lasting(h nats.Header) int64 {
	d, err := time.ParseDuration(h.Get(ttlHeader))
	written, err2 := time.Parse(time.RFC3339Nano, h.Get("Nats-Time-Stamp"))
	if err != nil || err2 != nil {
		return never
	}
	return written.Add(d - ClockSlack).UnixMilli()
}

// outlast is how long a message has to last that is needed until then and replaces another one. A server
// that starts after SIGKILL reads the replaced messages of a subject from its files. It removes them if a newer one is
// there; if that has expired, it serves the former one again (nats-server issue 8505). So no message may
// expire before the sessions that it replaces. Half of ClockSlack does not matter, so clocks that differ by
// less do not make a message last longer with each save.
func outlast(until, former int64) int64 {
	if former-(ClockSlack/2).Milliseconds() > until {
		return former
	}
	return until
}

func parse(b []byte) (st state, err error) {
	const fixed = 1 + 3*8
	if len(b) < fixed || b[0] != format {
		return st, errFormat
	}
	st.nonce = binary.BigEndian.Uint64(b[1:])
	st.expires = int64(binary.BigEndian.Uint64(b[9:]))
	st.indexed = int64(binary.BigEndian.Uint64(b[17:]))
	b = b[fixed:]
	idLength, n := binary.Uvarint(b)
	if n <= 0 {
		return st, errFormat
	}
	b = b[n:]
	ownerLength, n := binary.Uvarint(b)
	if n <= 0 || idLength > uint64(len(b)) || ownerLength > uint64(len(b)) || idLength+ownerLength > uint64(len(b)-n) {
		return st, errFormat
	}
	b = b[n:]
	st.id, b = string(b[:idLength]), b[idLength:]
	st.owner, st.data = string(b[:ownerLength]), b[ownerLength:]
	return st, nil
}

// isMarker reports whether a message only says that its key was deleted.
func isMarker(h nats.Header) bool {
	return h != nil && (h.Get(operationHeader) != "" || h.Get("Nats-Marker-Reason") != "")
}

// record returns the session if it lives.
func (st state) record(id string, now time.Time) (store.Record, error) {
	if !st.live || st.id != id {
		return store.Record{}, store.ErrNotFound
	}
	if st.expired(now) {
		return store.Record{}, store.ErrExpired
	}
	return store.Record{ID: id, Owner: st.owner, Data: st.data, Expires: fromMillis(st.expires), Version: store.Version(st.seq)}, nil
}

func (st state) expired(now time.Time) bool { return st.expires <= now.UnixMilli() }

func toMillis(t time.Time) int64 {
	if t.IsZero() {
		return never
	}
	return min(t.UnixMilli(), never-1)
}

func fromMillis(ms int64) time.Time {
	if ms == never {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// indexedUntil is how long an entry lasts that is written now for a session with this expiry. It lasts
// longer than the session, so that most touches need not write it again.
func indexedUntil(expires int64, now time.Time) int64 {
	left := max(0, expires-now.UnixMilli())
	if expires == never || left > ttlMax.Milliseconds()/4 {
		return never
	}
	return now.UnixMilli() + 2*left + time.Hour.Milliseconds()
}

// ttlMax is the longest time after which a server removes a message.
const ttlMax = 100 * 365 * 24 * time.Hour

// ttl is the header's value for a message that is needed until then. The servers count seconds.
func ttl(until int64, now time.Time) string {
	left := until - now.UnixMilli()
	if until == never || left > ttlMax.Milliseconds() {
		return "never"
	}
	d := time.Duration(max(0, left))*time.Millisecond + ClockSlack
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10) + "s"
}
