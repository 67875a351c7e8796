package stores

import (
	"testing"
	"time"
	"database/sql"
	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/store/sqlstore"
)

func TestZZ(t *testing.T) {
	server := servers.SharedPostgres(t)
	dsn := server.NewDatabase(t)
	db := openSQL(t, "pgx", dsn)
	s := newSQLStore(t, db, sqlstore.Postgres, sqlstore.Native)
	c := nest(t, "nest", s)
	c2 := nestStore(t, "store", s)
	for _, c := range []contender{c, c2} {
		var before, after struct{ upd, hot, idx, commit, seq int64 }
		read := func(p *struct{ upd, hot, idx, commit, seq int64 }) {
			<-time.After(2200*time.Millisecond)
			if err := db.QueryRow("SELECT n_tup_upd, n_tup_hot_upd, idx_scan, (SELECT xact_commit FROM pg_stat_database WHERE datname=current_database()), seq_scan FROM pg_stat_user_tables").Scan(&p.upd, &p.hot, &p.idx, &p.commit, &p.seq); err != nil && err != sql.ErrNoRows {
				t.Fatal(err)
			}
		}
		for _, callers := range []int{1,32} {
		read(&before)
		c.uses.own = false
		c.uses.pids = []int{server.PID()}
		r, err := run(c, writing, callers, 2*time.Second)
		if err != nil { t.Fatal(err) }
		c.uses.own = true
		c.uses.pids = nil
		r2, err := run(c, writing, callers, 2*time.Second)
		if err != nil { t.Fatal(err) }
		read(&after)
		n := float64(r.done+r2.done)
		t.Logf("%s %d callers: %.0f/s, %v server cpu each; %v own; per write: upd %.2f hot %.2f idx %.2f commits %.2f seq %.2f", c.name, callers, r.rate(), r.spent/time.Duration(r.done), r2.spent/time.Duration(r2.done),
			float64(after.upd-before.upd)/n, float64(after.hot-before.hot)/n, float64(after.idx-before.idx)/n, float64(after.commit-before.commit)/n, float64(after.seq-before.seq)/n)
		}
	}
}
