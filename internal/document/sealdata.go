package document

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/nestsession/session/internal/sealed"
)

// SealMode says what becomes of the data of sessions. Its values are those of session.Seal.
type SealMode uint8

const (
	SealOff    SealMode = iota // stored readable; sealed data are refused
	SealReads                  // stored readable; sealed data are opened
	SealWrites                 // stored sealed; readable data are read
	SealOnly                   // stored sealed; readable data are refused
)

// ErrSealed is session.ErrSealed.
var ErrSealed = errors.New("session: the data are sealed: only a request with the session's cookie can read or change them")

// ErrMoved means that the session was renewed since the document was loaded, so it must be
// loaded again.
var ErrMoved = errors.New("session: the session has moved since it was loaded")

var (
	errSealOff  = fmt.Errorf("%w, and Config.Seal is SealOff", ErrSealed)
	errUnsealed = errors.New("the data are not sealed, and Config.Seal is SealOnly")
)

// SealData sets the mode of the data, which is SealOff otherwise. secrets are those of
// [NewSealer].
func (s *Sealer) SealData(mode SealMode, secrets []string) (err error) {
	if s.mode = mode; mode != SealOff {
		s.ring, err = sealed.NewRing(secrets)
	}
	return err
}

// OpensData reports whether the data of sessions can be opened if they are sealed.
func (s *Sealer) OpensData() bool { return s.mode != SealOff }

// Opener is what sealed data are opened with: the session's id, or the data key that the
// caller knows from an earlier version. Each may be missing.
type Opener struct {
	ID  string
	key *sealed.Key
}

// sealing is how the data of a document are sealed.
type sealing struct {
	key     sealed.Key
	wrapped []byte // the key, for the session's id
	old     bool   // with another secret than the first

	// text is the document as it would be stored unsealed, without bookkeeping.
	text []byte

	err error // why the data are not opened
}

// sealVersion is the first byte of sealed data. The wrapped data key and the ciphertext
// follow.
const sealVersion = 1

// sealPrefix stands for the cookie member in a text that is made of opened data.
const sealPrefix = `{"` + cookieKey + `":0`

// text is what from and to are places in.
func (d *Document[T]) text() []byte {
	if d.seal != nil && d.seal.err == nil {
		return d.seal.text
	}
	return d.Data
}

// Locked returns why the document has no data, although its record has: they are sealed,
// and were not opened. It is nil otherwise.
func (d *Document[T]) Locked() error {
	if d.seal == nil {
		return nil
	}
	return d.seal.err
}

// Opener returns what opens this session's data in other versions. id is the session's id;
// "" if the caller does not know it.
func (d *Document[T]) Opener(id string) Opener {
	if d.seal == nil || d.seal.err != nil {
		return Opener{ID: id}
	}
	return Opener{id, &d.seal.key}
}

// WithNewKey returns o without the data key, so that what is sealed next gets another one.
func (o Opener) WithNewKey() Opener { return Opener{ID: o.ID} }

// Follow returns what opens the session that a login has put in the place of o's. m is the
// bookkeeping of the record that leads there. Only those who loaded the old session before
// the login hold its data key; the id does not suffice.
func (o Opener) Follow(m *Meta) Opener {
	if o.key == nil || m.Sealed == "" {
		return Opener{}
	}
	text, err := base64.RawURLEncoding.DecodeString(m.Sealed)
	if err != nil {
		return Opener{}
	}
	key, err := o.key.Take(text, m.Successor)
	if err != nil {
		return Opener{}
	}
	return Opener{key: &key}
}

// Pass returns what [Opener.Follow] reads: the data key of the document that follows old at
// a login, for those who hold old's. It is "" if one of the two is not sealed.
func (c *Codec[T]) Pass(old, next *Document[T]) (string, error) {
	if old.seal == nil || next.seal == nil {
		return "", nil
	}
	text, err := old.seal.key.Pass(&next.seal.key, next.entry.Key)
	return base64.RawURLEncoding.EncodeToString(text), err
}

// admit checks what a document has against the mode, once its bookkeeping is read.
func (c *Codec[T]) admit(d *Document[T]) error {
	switch mode := c.Seal.mode; {
	case d.Meta.Ended || d.Meta.Successor != "":
	case d.Meta.Sealed != "" && mode == SealOff:
		d.seal = &sealing{err: errSealOff}
	case d.Meta.Sealed != "":
		d.seal = &sealing{err: ErrSealed}
	case mode == SealOnly:
		return errUnsealed
	case mode == SealWrites:
		d.Meta.Stale = true
	}
	return nil
}

// unlock returns the document with its data. If they cannot be opened, the document stays
// locked.
func (c *Codec[T]) unlock(d *Document[T], with Opener) (*Document[T], error) {
	if d.seal == nil || c.Seal.mode == SealOff {
		return d, nil
	}
	s, err := c.Seal.open(d.entry.Key, d.Meta.Sealed, with)
	if err != nil {
		d.seal.err = err
		return d, nil
	}
	opened := &Document[T]{entry: d.entry, Data: s.text}
	if err := c.read(opened, d); err != nil {
		return nil, err
	}
	opened.Data, opened.seal = d.Data, s
	opened.Meta.Sealed = ""
	opened.Meta.Stale = opened.Meta.Stale || s.old
	return opened, nil
}

// open opens the data of the record under key. It never returns data that were not sealed
// for this record.
func (s *Sealer) open(key, text string, with Opener) (*sealing, error) {
	if with.ID == "" && with.key == nil {
		return nil, ErrSealed
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) < 1+sealed.WrappedSize || raw[0] != sealVersion {
		return nil, sealed.ErrOpen
	}
	o := &sealing{wrapped: bytes.Clone(raw[1 : 1+sealed.WrappedSize])}
	raw = raw[1+sealed.WrappedSize:]
	into := func() []byte { return append(make([]byte, 0, len(sealPrefix)+len(raw)), sealPrefix...) }
	if err = sealed.ErrOpen; with.key != nil {
		o.key = *with.key
		o.text, err = o.key.Open(into(), raw, key)
	}
	if err != nil && with.ID != "" {
		if o.key, o.old, err = s.ring.Unwrap(o.wrapped, with.ID, key); err == nil {
			o.text, err = o.key.Open(into(), raw, key)
		}
	}
	o.text = append(o.text, '}')
	return o, err
}

// sealData seals the members that data, a document without bookkeeping and without its last
// brace, has after head. It writes the stored form to d.Data. The data key is as's, or a new
// one.
func (c *Codec[T]) sealData(d, base *Document[T], data []byte, head int, as Opener) error {
	key, s, was := d.entry.Key, &sealing{}, base.seal
	if as.key == nil {
		was = nil
	}
	isID := func() bool { return as.ID != "" && RecordID(c.Seal.scope, as.ID) == key }
	var err error
	switch {
	case was != nil && base.entry.Key == key && !(was.old && isID()):
		s.key, s.wrapped, s.old = was.key, was.wrapped, was.old
	case isID():
		if s.key = sealed.NewKey(); was != nil {
			s.key = was.key
		}
		s.wrapped, err = c.Seal.ring.Wrap(&s.key, as.ID, key)
	case base.seal == nil && c.Seal.mode != SealOnly:
		return nil // a request that does not know the session's id leaves the data readable
	default:
		err = ErrMoved
	}
	if err != nil {
		return err
	}
	members := data[head:]
	raw := make([]byte, 0, 1+sealed.WrappedSize+len(members)+sealed.WrappedSize-sealed.KeySize)
	raw = append(append(raw, sealVersion), s.wrapped...)
	if raw, err = s.key.Seal(raw, members, key); err != nil {
		return err
	}
	d.Meta.Sealed = base64.RawURLEncoding.EncodeToString(raw)
	stored := append(make([]byte, 0, head+d.Meta.room()), data[:head]...)
	d.Data = append(d.Meta.append(stored, c.Seal, key), '}')
	d.Meta.Sealed = ""
	s.text = append(data, '}')
	d.seal = s
	return nil
}
