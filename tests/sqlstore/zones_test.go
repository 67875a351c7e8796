package sqlstore_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// moments are times of expiry. New York sets its clocks forward on 8 March 2026 and back
// on 1 November: between 5:00 and 7:00 UTC of that day, its clocks show 1:00 to 2:00 twice.
var moments = []time.Time{
	time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC),
	time.Date(2026, 3, 8, 6, 59, 59, 0, time.UTC),
	time.Date(2026, 3, 8, 7, 0, 0, 0, time.UTC),
	time.Date(2026, 3, 8, 7, 30, 0, 0, time.UTC),
	time.Date(2026, 7, 15, 23, 59, 59, 0, time.UTC),
	time.Date(2026, 11, 1, 4, 59, 59, 0, time.UTC),
	time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC),
	time.Date(2026, 11, 1, 7, 0, 0, 0, time.UTC),
	time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC),
}

// The column of connect-pg-simple has no zone. Whatever the zone of the database, of
// our connections and of the server's clock, a session ends for Node and for us when
// it was to.
func TestTimeZonesBesideNode(t *testing.T) {
	t.Parallel()
	n := nodePrograms["ConnectPgSimple"]
	for _, zone := range []string{"UTC", "Asia/Seoul", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati", "<+03:30>-3:30"} {
		for name, ours := range map[string]struct{ dsn, set, config string }{
			"as the database has it":       {},
			"by the connection string":     {dsn: "&timezone=Australia/Adelaide", config: zone},
			"by SET":                       {set: "SET TIME ZONE 'Australia/Adelaide'"},
			"by both":                      {dsn: "&timezone=UTC", set: "SET TIME ZONE 'Asia/Tokyo'", config: zone},
			"as the database has it, said": {config: zone},
		} {
			t.Run(zone+"/"+name, func(t *testing.T) {
				t.Parallel()
				db := newDatabase(t, sqlstore.Postgres)
				theirs := db.open(t)
				run(t, theirs, fmt.Sprintf("DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I SET timezone = ''%s''', current_database()); END $$", zone))
				_ = theirs.Close()
				theirs = db.open(t) // Node, which asks for no zone
				for _, text := range n.create {
					run(t, theirs, text)
				}
				clock := newClock()
				c := sqlstore.Config{Dialect: sqlstore.Postgres, Layout: n.layout, TimeZone: ours.config, Now: clock.now}
				c.DB = db.open(t, ours.dsn)
				c.DB.SetMaxOpenConns(1)
				if ours.set != "" {
					run(t, c.DB, ours.set)
				}
				s := newStore(t, c)
				for i, end := range moments {
					clock.ns.Store(end.Add(-10 * time.Minute).UnixNano())
					id := fmt.Sprint("go ", i)
					create(t, s, store.Record{ID: id, Data: []byte("{}"), Expires: end})
					n.write(t, theirs, "node", "{}", end)
					for _, id := range []string{id, "node"} {
						r, err := s.Load(t.Context(), id)
						if err != nil || !r.Expires.Equal(end) {
							t.Errorf("%s, to end at %v: %v, %v", id, end, r.Expires.UTC(), err)
						}
						for after, want := range map[time.Duration]string{0: "{}", 9 * time.Minute: "{}", 11 * time.Minute: ""} {
							if got := n.read(t, theirs, id, clock.now().Add(after)); got != want {
								t.Errorf("%s, to end at %v: %v before, Node reads %q", id, end, 10*time.Minute-after, got)
							}
						}
					}
					if n, err := s.Sweep(t.Context()); n != 0 || err != nil {
						t.Errorf("Sweep ten minutes before %v removed %d, %v", end, n, err)
					}
					clock.advance(11 * time.Minute)
					if n, err := s.Sweep(t.Context()); n != 2 || err != nil {
						t.Errorf("Sweep after %v removed %d, want 2; %v", end, n, err)
					}
				}
			})
		}
	}
}

// In the hour that comes twice, a column without a zone cannot say which of the two it
// means. PostgreSQL takes the second, for Node and for us: a session may live an hour
// longer, and none ends before its time.
func TestHourThatComesTwice(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, sqlstore.Postgres)
	clock := newClock()
	s := newStore(t, sqlstore.Config{
		DB: db.open(t), Dialect: sqlstore.Postgres, Layout: sqlstore.ConnectPgSimple, Create: true,
		TimeZone: "America/New_York", Now: clock.now,
	})
	first := time.Date(2026, 11, 1, 5, 30, 0, 0, time.UTC)
	clock.ns.Store(first.Add(-10 * time.Minute).UnixNano())
	for _, end := range []time.Time{first, first.Add(time.Hour)} {
		create(t, s, store.Record{ID: end.String(), Data: []byte("{}"), Expires: end})
		if r, err := s.Load(t.Context(), end.String()); err != nil || r.Expires.Before(end) || r.Expires.After(end.Add(time.Hour)) {
			t.Errorf("to end at %v: %v, %v", end, r.Expires.UTC(), err)
		}
	}
	clock.ns.Store(first.Add(time.Minute).UnixNano())
	if n, err := s.Sweep(t.Context()); n != 0 || err != nil {
		t.Errorf("Sweep in between removed %d, %v", n, err)
	}
	clock.ns.Store(first.Add(time.Hour + time.Minute).UnixNano())
	if n, err := s.Sweep(t.Context()); n != 2 || err != nil {
		t.Errorf("Sweep after the second removed %d, %v", n, err)
	}
}

// Where the connection string hides the zone of the others, New does not guess.
func TestTimeZoneThatCannotBeKnown(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, sqlstore.Postgres)
	c := sqlstore.Config{Dialect: sqlstore.Postgres, Layout: sqlstore.ConnectPgSimple, Create: true}
	for _, set := range []string{"", "SET TIME ZONE 'Asia/Tokyo'"} {
		c.DB = db.open(t, "&timezone=Asia/Seoul")
		c.DB.SetMaxOpenConns(1)
		if set != "" {
			run(t, c.DB, set)
		}
		_, err := sqlstore.New(t.Context(), c)
		if err == nil || !strings.Contains(err.Error(), "Config.TimeZone") {
			t.Errorf("New: %v, want what to set", err)
		}
	}
	c.TimeZone = "Asia/Nowhere'; DROP TABLE session; --"
	if _, err := sqlstore.New(t.Context(), c); err == nil || !strings.Contains(err.Error(), "time zone") {
		t.Errorf("New with an unknown zone: %v", err)
	}
	c.TimeZone = "Asia/Seoul"
	newStore(t, c)

	// A column with a zone needs none of that.
	c.Table, c.TimeZone = "zoned", ""
	run(t, c.DB, "CREATE TABLE zoned (sid varchar PRIMARY KEY, sess json NOT NULL, expire timestamptz NOT NULL)")
	s := newStore(t, c)
	end := time.Now().Add(time.Hour).Truncate(time.Second)
	create(t, s, store.Record{ID: "id", Data: []byte("{}"), Expires: end})
	if r, err := s.Load(t.Context(), "id"); err != nil || !r.Expires.Equal(end) {
		t.Errorf("to end at %v: %v, %v", end, r.Expires, err)
	}
}

// All other tables keep instants: two nodes whose connections are in different zones
// agree, whatever the server's is.
func TestTimeZonesOfConnections(t *testing.T) {
	t.Parallel()
	zones := map[sqlstore.Dialect][2]string{
		sqlstore.Postgres: {"&timezone=Asia/Seoul", "&timezone=America/New_York"},
		sqlstore.MySQL: {
			"?parseTime=true&loc=" + url.QueryEscape("Asia/Seoul") + "&time_zone=" + url.QueryEscape("'+09:00'"),
			"?loc=" + url.QueryEscape("America/New_York") + "&time_zone=" + url.QueryEscape("'-05:00'"),
		},
		sqlstore.SQLite: {"?_time_format=sqlite&_loc=Asia/Seoul", "?_loc=America/New_York"},
	}
	for name, d := range dialects {
		for layout, c := range configs(d) {
			if c.Layout == sqlstore.ConnectPgSimple {
				continue
			}
			t.Run(name+"/"+layout, func(t *testing.T) {
				t.Parallel()
				db, clock := newDatabase(t, d), newClock()
				c.Create, c.Now = true, clock.now
				var pair [2]*sqlstore.Store
				for i, dsn := range zones[d] {
					c.DB = db.open(t, dsn)
					pair[i] = newStore(t, c)
				}
				for i, end := range moments {
					clock.ns.Store(end.Add(-10 * time.Minute).UnixNano())
					id := fmt.Sprint(i)
					create(t, pair[i%2], store.Record{ID: id, Data: []byte("{}"), Expires: end})
					for _, s := range pair {
						if r, err := s.Load(t.Context(), id); err != nil || !r.Expires.Equal(end) {
							t.Errorf("to end at %v: %v, %v", end, r.Expires, err)
						}
					}
					if n, err := pair[1-i%2].Sweep(t.Context()); n != 0 || err != nil {
						t.Errorf("Sweep ten minutes before %v removed %d, %v", end, n, err)
					}
					clock.advance(11 * time.Minute)
					if n, err := pair[1-i%2].Sweep(t.Context()); n != 1 || err != nil {
						t.Errorf("Sweep after %v removed %d, want 1; %v", end, n, err)
					}
				}
			})
		}
	}
}
