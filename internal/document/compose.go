package document

import (
	"bytes"
	"github.com/nestsession/session/internal/jsontext"
	"github.com/nestsession/session/internal/recent"
	"reflect"
)

// Compose makes the document that follows base: value, settled, which nobody else has, and
// its encoding body in place of base's, and whatever base had besides left as it
// stood. A body that is nil stands for base's. cookie is the cookie member, of settings and l. as
// is what the data are sealed with, where they are; see [Document.Opener].
func (c *Codec[T]) Compose(base *Document[T], key string, value *T, body, cookie []byte, settings any, l Lifetime, info Meta, as Opener) (*Document[T], error) {
	d := &Document[T]{entry: recent.Entry{Key: key}, Cookie: settings, Lifetime: l, Meta: info, drops: c.cache.Drops(c.cache.Hash(key))}
	data := make([]byte, 0, len(`{"cookie":,}`)+len(cookie)+max(len(body), base.to-base.from)+info.room())
	data = append(append(data, `{"`+cookieKey+`":`...), cookie...)
	head := len(data)
	d.from = head + len(",")
	data, coded, err := c.appendData(data, base, body)
	if err != nil {
		return nil, err
	}
	d.from, d.to = min(d.from, len(data)), len(data)
	if c.Seal.mode >= SealWrites {
		if err := c.sealData(d, base, data, head, as); err != nil {
			return nil, err
		}
	}
	if d.Data == nil {
		d.Data = append(d.Meta.append(data, c.Seal, key), '}')
	}
	d.coded.Store(coded)
	d.Value = *value
	initMap(reflect.ValueOf(&d.Value).Elem())
	return d, nil
}

// Rewrite is the text of base with body in place of its value, and all else as it stands.
func (c *Codec[T]) Rewrite(base *Document[T], body []byte) ([]byte, error) {
	data, err := c.withoutMeta(base, body)
	if err != nil {
		return nil, err
	}
	if text := jsontext.Find(base.Data, metaKey); text != nil {
		data = append(append(data, `,"`+metaKey+`":`...), text...)
	}
	return append(data, '}'), nil
}

// withoutMeta is Rewrite up to the bookkeeping.
func (c *Codec[T]) withoutMeta(base *Document[T], body []byte) ([]byte, error) {
	data := append([]byte(`{"`+cookieKey+`":`), jsontext.Find(base.Data, cookieKey)...)
	data, _, err := c.appendData(data, base, body)
	return data, err
}

// appendData writes the members of a document that are not the library's: those of base,
// with what body has in place of base's value. coded is as in [Document], for what it wrote.
func (c *Codec[T]) appendData(dst []byte, base *Document[T], body []byte) (data []byte, coded *[]byte, err error) {
	if body == nil {
		if coded = base.coded.Load(); base.to > 0 {
			return appendInside(dst, base.text()[base.from:base.to]), coded, nil
		}
		others, err := c.others(base)
		return jsontext.AppendMembers(dst, others), coded, err
	}
	var was []byte
	if base.coded.Load() != inside { // else it need not be copied
		if was, err = c.Encoding(base); err != nil {
			return nil, nil, err
		}
	}
	if base.coded.Load() == inside {
		return appendInside(dst, body[1:len(body)-1]), inside, nil
	}
	others, err := c.others(base)
	if err == nil {
		others, err = c.mergeMembers(others, was, body)
	}
	if err != nil {
		return nil, nil, err
	}
	start := len(dst)
	dst = jsontext.AppendMembers(dst, others)
	if string(dst[min(start+1, len(dst)):]) == string(body[1:len(body)-1]) {
		return dst, inside, nil
	}
	own := body // so that body is on the heap here only
	return dst, &own, nil
}

func appendInside(dst, members []byte) []byte {
	if len(members) > 0 {
		dst = append(append(dst, ','), members...)
	}
	return dst
}

// mergeMembers carries a change from one encoding of T to another over to the
// members that a store has: what T does not know, and what did not change, keeps
// its text, nested members and integers above 2^53 included.
func (c *Codec[T]) mergeMembers(stored []jsontext.Member, was, is []byte) ([]jsontext.Member, error) {
	old, err := jsontext.Split(was)
	if err != nil {
		return nil, err
	}
	after, err := jsontext.Split(is)
	if err != nil {
		return nil, err
	}
	if c.isMap {
		old, after = trimCommon(old, after) // which the store has: they came from there
	}
	before, now := jsontext.Indexed(old), jsontext.Indexed(after)
	had := make([]bool, len(after))
	merged := make([]jsontext.Member, 0, len(stored)+len(after))
	for _, m := range stored {
		if m.At == 0 { // T has no field for it
			merged = append(merged, m)
			continue
		}
		i, was := now.Find(m.Key), before.Get(m.Key)
		switch {
		case i >= 0:
			had[i] = true
			if !bytes.Equal(was, after[i].Value()) {
				m = after[i]
			}
		case was != nil:
			continue // T had it, and has it no more
		}
		merged = append(merged, m)
	}
	for i, m := range after {
		if !had[i] {
			merged = append(merged, m)
		}
	}
	return merged, nil
}

// trimCommon leaves off what two lists begin and end with alike. The keys of a map
// are encoded in order, so that little is left of them.
func trimCommon(a, b []jsontext.Member) ([]jsontext.Member, []jsontext.Member) {
	for len(a) > 0 && len(b) > 0 && bytes.Equal(a[0].Text, b[0].Text) {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && bytes.Equal(a[len(a)-1].Text, b[len(b)-1].Text) {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return a, b
}
