package sqlstore

// shape is a table as the statements need it, with all names quoted.
type shape struct {
	dialect Dialect
	native  bool
	table   string
	id      string
	data    string
	expires string
	due     string // see dueColumn; "": there is no column
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
	if c.hasDue() {
		s.due = d.quote(dueColumn)
	}
	return s
}

// writesOwner says that there is a column for the owner, and that it is ours to write.
func (s shape) writesOwner() bool { return s.owner != "" && !s.derived }

// statements are all that a Store sends after New.
type statements struct {
	load, insert, replace, update, old, touch, delete statement
	loads, updates, deletes                           statement // of many rows
	list, listOwner, listUnowned                      statement
	sweep, expired                                    statement
}

func (s shape) statements(narrow bool) *statements {
	d := s.dialect
	match := s.match(s.id)
	live := s.times.live(s.expires)
	over := s.times.over(s.expires)
	swept := []any{over, s.times.near(s.expires)}
	if s.due != "" {
		swept = append(swept, " AND ", s.due, " <= ", pNow)
	}
	q := &statements{
		load:   d.compose("SELECT ", s.result(), " FROM ", s.table, " WHERE ", match, " AND ", live),
		touch:  d.compose("UPDATE ", s.table, " SET ", s.expiry(), " WHERE ", match, " AND ", live),
		delete: d.compose("DELETE FROM ", s.table, " WHERE ", match),
		insert: s.insert(),
	}
	set := []any{"UPDATE ", s.table, " SET ", s.assign(), " WHERE ", match, " AND "}
	switch d {
	case Postgres:
		q.deletes = s.deleteMany()
		id := s.id
		if s.native {
			q.updates = s.updateMany()
		} else {
			id += "::text"
		}
		q.loads = d.compose("SELECT ", id, ", ", s.result(), " FROM ", s.table, " WHERE ", s.id, " = ANY(", pIDs, ") AND ", live)
		q.update = d.compose(set, live, " AND xmin::text::bigint = ", pVersion, " RETURNING xmin::text::bigint")
		q.sweep = d.compose("DELETE FROM ", s.table, " WHERE ctid = ANY(ARRAY(SELECT ctid FROM ", s.table,
			" WHERE ", swept, " LIMIT ", pLimit, " FOR UPDATE SKIP LOCKED)) AND ", over)
	case MySQL:
		q.update = d.compose(set, live, " AND ", s.digest(), " = ", pVersion)
		q.replace = d.compose(set, over)
		q.expired = d.compose("SELECT ", s.id, " FROM ", s.table, " WHERE ", swept, " LIMIT ", pLimit)
	case SQLite:
		q.loads = d.compose("SELECT ", s.id, ", ", s.result(), " FROM ", s.table, " WHERE ", s.id, " IN (SELECT value FROM json_each(", pIDs, ")) AND ", live)
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

// expiry sets when the session ends.
func (s shape) expiry() []any {
	set := []any{s.expires, " = ", s.times.write(pExpires)}
	if s.due != "" {
		set = append(set, ", ", s.due, " = ", pDue)
	}
	return set
}

func (s shape) assign() []any {
	set := []any{s.data, " = ", pData, ", ", s.expiry()}
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
	if s.due != "" {
		columns = append(columns, ", ", s.due)
		row = append(row, ", ", pDue)
		names = append(names, s.due)
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

// updateMany is update for many rows of PostgreSQL's native table, all at once. It returns
// those that it has changed, and leaves out those that are locked: it waits for nobody,
// and nobody waits in a circle.
func (s shape) updateMany() statement {
	return s.dialect.compose("WITH w AS MATERIALIZED (SELECT v.id, v.data, v.expires, v.due, v.owner FROM unnest(",
		pIDs, "::bytea[], ", pVersions, "::bigint[], ", pDatas, "::bytea[], ", pExpiries, "::bigint[], ",
		pDues, "::bigint[], ", pOwners, "::bytea[]) AS v(id, version, data, expires, due, owner) JOIN ", s.table, " AS t ON t.", s.id, " = v.id",
		" WHERE t.xmin::text::bigint = v.version AND ", s.times.live("t."+s.expires), " FOR NO KEY UPDATE OF t SKIP LOCKED)",
		" UPDATE ", s.table, " AS t SET ", s.data, " = w.data, ", s.expires, " = w.expires, ", s.due, " = w.due, ", s.owner, " = w.owner",
		" FROM w WHERE t.", s.id, " = w.id RETURNING t.", s.id, ", t.xmin::text::bigint")
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
