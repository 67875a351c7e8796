package sqlstore

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/nestsession/session/store"
)

// limits are what the table can keep. The store refuses longer values by itself: depending
// on its settings, a database cuts, replaces or pads a value without an error.
type limits struct {
	utf8      bool // only text, as columns of text keep it
	idBytes   int
	idRunes   int // 0: no limit
	owner     int // bytes
	data      int // bytes; 0: no limit
	basicData bool
	basicID   bool // only characters up to U+FFFF, as MySQL's utf8mb3 keeps them
}

func (l limits) check(r store.Record) error {
	if err := l.id(r.ID); err != nil {
		return err
	}
	switch {
	case len(r.Owner) > l.owner:
		return fmt.Errorf("sqlstore: the record's owner has %d bytes, the column keeps %d", len(r.Owner), l.owner)
	case l.utf8 && !isText(r.Owner):
		return errors.New("sqlstore: the record's owner is not text: it holds a NUL or is not UTF-8")
	case l.data > 0 && len(r.Data) > l.data:
		return fmt.Errorf("sqlstore: the record's data has %d bytes, the column keeps %d", len(r.Data), l.data)
	case l.utf8 && !isText(string(r.Data)):
		return errors.New("sqlstore: the record's data is not text: it holds a NUL or is not UTF-8, and the column keeps text")
	case l.basicData && !isBasic(string(r.Data)):
		return errors.New("sqlstore: the record's data has a character beyond U+FFFF, which the column's character set utf8mb3 does not keep: convert the table to utf8mb4")
	}
	return nil
}

// id returns an error if the table cannot keep the id.
func (l limits) id(id string) error {
	switch {
	case id == "":
		return errors.New("sqlstore: record without an id")
	case len(id) > l.idBytes, l.idRunes > 0 && utf8.RuneCountInString(id) > l.idRunes:
		return fmt.Errorf("sqlstore: the record's id is longer than the table keeps: %d bytes", len(id))
	case l.utf8 && !isText(id), l.basicID && !isBasic(id):
		return errors.New("sqlstore: the record's id is not text that the column can keep")
	}
	return nil
}

func isText(s string) bool { return strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) }

func isBasic(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > 0xffff })
}
