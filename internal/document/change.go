package document

import (
	"bytes"
	"errors"
	"sync"
)

// ErrUnrepeatable is session.ErrUnrepeatable.
var ErrUnrepeatable = errors.New("session: a function given to Update is not repeatable, or data were changed outside Update")

// Change returns a function that applies fn to the data of a document of this codec. It
// returns the document's next text: only the members that have changed are rewritten, and
// the cookie and the bookkeeping stay as they are. It returns nil if fn changes nothing, and
// [ErrSealed] for data that are not opened.
//
// The result may be called from several goroutines. fn runs in one of them at a time.
func (c *Codec[T]) Change(fn func(data *T)) func(Stored) ([]byte, error) {
	var one sync.Mutex
	run := func(d *Document[T]) ([]byte, error) {
		one.Lock()
		defer one.Unlock()
		var value T
		if err := c.Copy(d, &value); err != nil {
			return nil, err
		}
		fn(&value)
		body, err := c.Encode(&value)
		if err == nil {
			err = c.Normalize(&value, body)
		}
		return body, err
	}
	return func(stored Stored) ([]byte, error) {
		d := stored.(*Document[T])
		if d.Locked() != nil {
			return nil, ErrSealed
		}
		was, err := c.Encoding(d)
		if err != nil {
			return nil, err
		}
		body, err := run(d)
		if err != nil || bytes.Equal(was, body) {
			return nil, err
		}
		again, err := run(d)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(body, again) {
			return nil, ErrUnrepeatable
		}
		return c.Rewrite(d, body)
	}
}
