package sqlstore

// shape is a table as the statements need it, with all names quoted.
type shape struct {
	dialect Dialect
	native  bool
	table   string
	id      string
	data    string
	expires string
	owner   string // "": there is no column
	derived bool   // the database works the owner out by itself, see Config.ownerType
	told    bool   // Config.OwnerOf does so as well, so that a read need not
	times   times
}

func (c Config) shape() shape {
	d := c.Dialect
	l := layouts[c.Layout]
	s := shape{
		dialect: d,
		native:  c.Layout == Native,
		table:   c.tableName(),
		id:      d.quote(c.Columns.ID),
		data:    d.quote(c.Columns.Data),
		expires: d.quote(c.Columns.Expires),
		times:   l.times,
		derived: l.positional,
		told:    c.OwnerOf != nil,
	}
	if c.OwnerColumn != "" {
		s.owner = d.quote(c.OwnerColumn)
	}
	return s
}

// writesOwner says that there is a column for the owner, and that it is ours to write.
func (s shape) writesOwner() bool { return s.owner != "" && !s.derived }

// statements are all that a Store sends after New.
type statements struct {
	load, insert, replace, update, old, touch, delete statement
	list, listOwner, listUnowned                      statement
	sweep, expired                                    statement
}

func (s shape) statements(narrow bool) *statements {
	d := s.dialect
	match := s.match(s.id)
	live := s.times.live(s.expires)
	over := s.times.over(s.expires)
	swept := []any{over, s.times.near(s.expires)}
	q := &statements{
		load:   d.compose("SELECT ", s.result(), " FROM ", s.table, " WHERE ", match, " AND ", live),
		touch:  d.compose("UPDATE ", s.table, " SET ", s.expires, " = ", s.times.write(pExpires), " WHERE ", match, " AND ", live),
		delete: d.compose("DELETE FROM ", s.table, " WHERE ", match),
		insert: s.insert(),
	}
	set := []any{"UPDATE ", s.table, " SET ", s.assign(), " WHERE ", match, " AND "}
	switch d {
	case Postgres:
		q.update = d.compose(set, live, " AND xmin::text::bigint = ", pVersion, " RETURNING xmin::text::bigint")
		q.sweep = d.compose("DELETE FROM ", s.table, " WHERE ctid = ANY(ARRAY(SELECT ctid FROM ", s.table,
			" WHERE ", swept, " LIMIT ", pLimit, " FOR UPDATE SKIP LOCKED)) AND ", over)
	case MySQL:
		q.update = d.compose(set, live, " AND ", s.digest(), " = ", pVersion)
		q.replace = d.compose(set, over)
		q.expired = d.compose("SELECT ", s.id, " FROM ", s.table, " WHERE ", swept, " LIMIT ", pLimit)
	case SQLite:
		q.update = d.compose(set, live, " AND ", s.unchanged())
		q.old = d.compose("SELECT ", s.data, ", ", s.ownerOr("NULL"), " FROM ", s.table, " WHERE ", match, " AND ", live)
		q.sweep = d.compose("DELETE FROM ", s.table, " WHERE ", s.id, " IN (SELECT ", s.id, " FROM ", s.table,
			" WHERE ", swept, " LIMIT ", pLimit, ") AND ", over)
	}
	page := func(more ...any) statement {
		if d == SQLite {
			// An id that somebody has put in as a blob is greater than any text: a listing
			// would never get past it, and nothing else finds it either.
			more = append(more, " AND typeof(", s.id, ") = 'text'")
		}
		return d.compose("SELECT ", s.id, ", ", s.result(), " FROM ", s.table, " WHERE ", s.id, " > ", pAfter,
			" AND ", live, more, " ORDER BY ", s.id, " LIMIT ", pLimit)
	}
	q.list = page()
	if narrow && s.owner != "" {
		q.listOwner = page(" AND ", s.owner, " = ", pOwner)
		if !s.native && !s.derived {
			q.listUnowned = page(" AND ", s.owner, " IS NULL")
		}
	}
	return q
}

// match is the condition for one row, byte for byte. The first comparison is by the
// column's own collation, so that the primary key is used; the second makes up for a
// collation that ignores case, accents or trailing spaces.
func (s shape) match(id string) []any {
	equal := []any{id, " = ", pID}
	switch {
	case s.dialect == SQLite:
		return []any{equal, " AND ", id, " = ", pID, " COLLATE BINARY"}
	case s.native:
		return equal
	case s.dialect == Postgres:
		return []any{equal, " AND ", id, `::text COLLATE "C" = `, pID, `::text COLLATE "C"`}
	}
	return []any{equal, " AND ", s.bytes([]any{id}), " = ", s.bytes([]any{pID})}
}

// bytes are MySQL's of a text, whatever the character set it is kept in.
func (s shape) bytes(text []any) []any {
	if s.native {
		return text
	}
	return []any{"CAST(CONVERT(", text, " USING utf8mb4) AS BINARY)"}
}

func (s shape) ownerOr(none string) string {
	if s.owner == "" {
		return none
	}
	return s.owner
}

// result are the columns of a record, in the order in which they are scanned.
func (s shape) result() []any {
	data := []any{s.data}
	if !s.native && s.dialect == Postgres {
		data = []any{s.data, "::text"}
	}
	owner := s.ownerOr("NULL")
	if s.derived && s.told {
		owner = "NULL"
	}
	columns := []any{data, ", ", owner, ", ", s.times.read(s.expires)}
	if s.dialect == Postgres {
		columns = append(columns, ", xmin::text::bigint")
	}
	return columns
}

func (s shape) assign() []any {
	set := []any{s.data, " = ", pData, ", ", s.expires, " = ", s.times.write(pExpires)}
	if s.writesOwner() {
		set = append(set, ", ", s.owner, " = ", pOwner)
	}
	return set
}

// insert keeps a new row. PostgreSQL and SQLite put it in the place of an expired
// one at once; with MySQL, whose answer to a conditional upsert depends on a setting
// of the driver, that is the statement replace.
func (s shape) insert() statement {
	d := s.dialect
	columns := []any{s.id, ", ", s.data, ", ", s.expires}
	row := []any{pID, ", ", pData, ", ", s.times.write(pExpires)}
	names := []string{s.data, s.expires}
	if s.writesOwner() {
		columns = append(columns, ", ", s.owner)
		row = append(row, ", ", pOwner)
		names = append(names, s.owner)
	}
	if d == MySQL {
		return d.compose("INSERT INTO ", s.table, " (", columns, ") VALUES (", row, ")")
	}
	var set []any
	for i, name := range names {
		if i > 0 {
			set = append(set, ", ")
		}
		set = append(set, name, " = excluded.", name)
	}
	upsert := []any{"INSERT INTO ", s.table, " AS t (", columns, ") VALUES (", row, ") ON CONFLICT (", s.id, ") DO UPDATE SET ", set,
		" WHERE ", s.match("t." + s.id), " AND ", s.times.over("t." + s.expires)}
	if d == Postgres {
		upsert = append(upsert, " RETURNING xmin::text::bigint")
	}
	return d.compose(upsert...)
}

// digest is what [digestOf] makes of the row.
func (s shape) digest() []any {
	inner := []any{"SHA2(", s.bytes([]any{s.data}), ", 256)"}
	if s.owner == "" {
		return []any{"LEFT(", inner, ", 16)"}
	}
	return []any{"LEFT(SHA2(CONCAT(", inner, ", COALESCE(", s.bytes([]any{s.owner}), ", '')), 256), 16)"}
}

// unchanged is that data and owner are what was read before.
func (s shape) unchanged() []any {
	same := []any{"CAST(", s.data, " AS BLOB) IS CAST(", pOldData, " AS BLOB)"}
	if s.writesOwner() {
		same = append(same, " AND ", s.owner, " IS ", pOldOwner)
	}
	return same
}
