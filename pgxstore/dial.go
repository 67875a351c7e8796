package pgxstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// dial opens a connection to the server itself, in the way in which the pool opens its
// connections. It is not one of the pool's, so that the node reads changes also if
// the pool's connections are all in use, or all dead.
func (s *Store) dial(ctx context.Context) (*pgx.Conn, error) {
	c := s.server.Config()
	to := c.ConnConfig
	if c.BeforeConnect != nil {
		if err := c.BeforeConnect(ctx, to); err != nil {
			return nil, fmt.Errorf("pgxstore: before connecting: %w", err)
		}
	}
	to.DefaultQueryExecMode = pgx.QueryExecModeExec // one round trip for a query that runs once
	to.OnNotification = nil                         // the Store reads them itself
	to.Tracer = nil                                 // a heartbeat belongs to no request
	conn, err := pgx.ConnectConfig(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("pgxstore: %w", err)
	}
	if c.AfterConnect != nil {
		if err := c.AfterConnect(ctx, conn); err != nil {
			closeConn(conn)
			return nil, fmt.Errorf("pgxstore: after connecting: %w", err)
		}
	}
	if err := checkDirect(ctx, conn); err != nil {
		closeConn(conn)
		return nil, fmt.Errorf("pgxstore: %w", err)
	}
	return conn, nil
}

var (
	errPooler = errors.New("the connection goes through a pooler, such as PgBouncer, which may use another connection for each statement and hide that the server was replaced: set Config.Direct to a pool whose connections go to the server itself")

	errStandby = errors.New("the server is a hot standby, which takes no writes, and lags behind: connect to the primary (target_session_attrs=read-write); a cache in front (package nearcache) takes the reads off it")
)

// checkDirect refuses a connection on which changes could be missed. A pooler gives its
// clients cancel keys of its own, so the process id that comes with the key is not the one
// that the server has.
func checkDirect(ctx context.Context, conn *pgx.Conn) error {
	var pid uint32
	var standby bool
	if err := conn.QueryRow(ctx, "SELECT pg_backend_pid(), pg_is_in_recovery()").Scan(&pid, &standby); err != nil {
		return fmt.Errorf("finding out what the server is: %w", err)
	}
	switch {
	case standby:
		return errStandby
	case pid != conn.PgConn().PID():
		return errPooler
	}
	return nil
}

// sameTable refuses a Direct that leads to another server or another table than the pool:
// the Store would report changes of other sessions.
func (s *Store) sameTable(ctx context.Context, pool *pgxpool.Pool, conn *pgx.Conn) error {
	const which = "SELECT concat_ws(' ', pg_postmaster_start_time(), to_regclass($1::text)::oid)"
	table := s.config.trigger(s.config.Schema, "").table
	var one, two string
	err := pool.QueryRow(ctx, which, table).Scan(&one)
	if err == nil {
		err = conn.QueryRow(ctx, which, table).Scan(&two)
	}
	if err != nil {
		return fmt.Errorf("pgxstore: comparing Config.Direct with the pool: %w", err)
	}
	if one != two {
		return fmt.Errorf("pgxstore: Config.Direct leads to another server than the pool, or finds another table by the name %s", table)
	}
	return nil
}

// closeConn closes a connection, whether the server answers or not.
func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
