package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
)

// sessionsShow is the flags of `nestsession sessions show`.
type sessionsShow struct {
	operator
	Session string `arg:"" help:"The session's digest, as list shows it, or its first characters."`
	JSON    bool   `name:"json" help:"Write the session on one line."`
	Keys    bool   `name:"ids" help:"Also show the key of the session in the store."`
}

// Help returns the help beyond the flags.
func (*sessionsShow) Help() string {
	return `The data of a session may be personal: look only at what you need. The session is written as JSON, without the attributes ` +
		`of its cookie.

` + storesHelp
}

// Run shows the session.
func (c *sessionsShow) Run(ctx context.Context, to output) (err error) {
	opened, view, err := c.open(ctx, to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	s, err := view.Find(ctx, c.Session)
	if err != nil {
		return err
	}
	d := describe(s, c.Keys)
	d.Data = dataOf(s.Document())
	return encode(to.out, d, !c.JSON)
}

// ownMembers are the members of a document that are not the application's data.
var ownMembers = []string{"cookie", "__nestsession"}

// dataOf returns the data in a document, each member with its original text. Data that are not an
// object are returned as text.
func dataOf(document []byte) any {
	d := json.NewDecoder(bytes.NewReader(document))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return string(document)
	}
	out := []byte{'{'}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return string(document)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return string(document)
		}
		if key == ownMembers[0] || key == ownMembers[1] {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		text, err := json.Marshal(key)
		if err != nil {
			return string(document)
		}
		out = append(append(append(out, text...), ':'), value...)
	}
	if _, err := d.Token(); err != nil {
		return string(document)
	}
	return json.RawMessage(append(out, '}'))
}
