package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/nestsession/session/store"
)

// checkTable checks that the table is one for sessions at all, before anything is added to
// what may be another program's.
func (s *Store) checkTable(is tableInfo) error {
	c := s.config
	if is.kind != "" {
		// PostgreSQL, for example, returns the xmin of a written row for an ordinary table only.
		return fmt.Errorf("sqlstore: %s is %s, and sessions need an ordinary table: name one", s.def.table, is.kind)
	}
	for _, name := range []string{c.Columns.ID, c.Columns.Data, c.Columns.Expires} {
		switch col := is.column(name); {
		case col == nil:
			return fmt.Errorf("sqlstore: the table %s has no column %q; it has %s", s.def.table, name, is.columnNames())
		case col.generated:
			return fmt.Errorf("sqlstore: the column %q of %s is a generated one, which the store cannot write: make it an ordinary column", name, s.def.table)
		}
	}
	if s.def.native {
		if err := s.checkNativeTypes(is); err != nil {
			return err
		}
	}
	if !is.unique(c.Columns.ID) {
		return fmt.Errorf("sqlstore: the column %q of %s is not the primary key and has no unique index of its own: one id could be kept twice", c.Columns.ID, s.def.table)
	}
	return nil
}

// checkNativeTypes checks the types of the native table, because somebody may have made it
// by hand: in texts that are compared without regard to case, or as numbers, one session
// could be found under another's id.
func (s *Store) checkNativeTypes(is tableInfo) error {
	c, types := s.config, s.def.traits.nativeTypes
	for _, must := range []struct{ column, typ string }{
		{c.Columns.ID, types.text}, {c.Columns.Data, types.data}, {c.Columns.Expires, types.number},
		{c.OwnerColumn, types.text}, {dueColumn, types.number},
	} {
		col := is.column(must.column)
		if col == nil || must.column == dueColumn && !c.hasDue() {
			continue // a column that can be added, or that is not the store's
		}
		if !strings.Contains(col.family, must.typ) {
			return fmt.Errorf("sqlstore: the column %q of %s has the type %s, want %s, as Statements has it", must.column, s.def.table, col.typ, must.typ)
		}
	}
	return nil
}

// adopt checks that the columns can keep sessions, and learns their limits.
func (s *Store) adopt(ctx context.Context, is tableInfo) error {
	if err := s.checkTable(is); err != nil {
		return err
	}
	s.limits = limits{idBytes: MaxID, owner: MaxOwner, utf8: !s.def.native}
	if !s.def.native {
		if err := s.adoptOwner(is); err != nil {
			return err
		}
	}
	return s.dialect.adopt(ctx, s, is)
}

// adoptOwner checks the column for the owner in another program's table.
func (s *Store) adoptOwner(is tableInfo) error {
	name := s.config.OwnerColumn
	owner := is.column(name)
	switch {
	case owner == nil:
		return nil
	case s.def.generatedOwner && !owner.generated:
		return fmt.Errorf("sqlstore: the column %q of %s is not a generated one, and the program whose table it is inserts rows without naming columns: it would fail; drop the column and let Config.Create add it", name, s.def.table)
	case !s.def.generatedOwner && owner.generated:
		return fmt.Errorf("sqlstore: the column %q of %s is a generated one, which the store cannot write", name, s.def.table)
	case !s.def.generatedOwner:
		s.limits.owner = int(min(int64(MaxOwner), cmp.Or(owner.bytes, owner.runes, MaxOwner)))
	}
	return nil
}

func (s *Store) wrongType(col *column, want string) error {
	return fmt.Errorf("sqlstore: the column %q of %s has the type %s, want %s", col.name, s.def.table, col.typ, want)
}

// The least room for an id that an error recommends, and the least that an owner needs.
const (
	advisedIDLen = 128
	minOwnerLen  = 64
)

// checkWidths refuses columns that are too narrow for what package session writes: a
// database refuses a longer value, or cuts it.
func (s *Store) checkWidths() error {
	record := store.Record{ID: trialID(s.def.native), Data: make([]byte, trialData)}
	switch {
	case s.limits.id(record.ID) != nil:
		return fmt.Errorf("sqlstore: the column %q of %s is too narrow: ids have up to %d characters; make it a varchar(%d)", s.config.Columns.ID, s.def.table, len(record.ID), advisedIDLen)
	case s.limits.data > 0 && s.limits.data < trialData:
		return fmt.Errorf("sqlstore: the column %q of %s is too narrow: it keeps %d bytes, and a session can have %d and more; make it as large as Statements has it", s.config.Columns.Data, s.def.table, s.limits.data, trialData)
	case s.limits.owner < minOwnerLen:
		return fmt.Errorf("sqlstore: the column %q of %s is too narrow: it keeps %d bytes; make it as large as Statements has it", s.config.OwnerColumn, s.def.table, s.limits.owner)
	}
	return nil
}
