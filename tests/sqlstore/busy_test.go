package sqlstore_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// A file that another connection writes to is waited for, whatever the driver was
// told to do about it, and no longer than the context allows.
func TestLockedFile(t *testing.T) {
	t.Parallel()
	for name, pragmas := range map[string]string{
		"AsItIs":      "",
		"BusyTimeout": "?_pragma=busy_timeout(100000)",
		"WAL":         "?_pragma=journal_mode(wal)",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := newDatabase(t, sqlstore.SQLite)
			s := newStore(t, sqlstore.Config{DB: db.open(t, pragmas), Dialect: sqlstore.SQLite, Create: true})
			r := store.Record{ID: "id", Data: []byte("{}"), Expires: time.Now().Add(time.Hour)}
			var err error
			if r.Version, err = s.Create(t.Context(), r); err != nil {
				t.Fatal(err)
			}

			// Its COMMIT has to wait for those who look at the file in that moment.
			other, err := db.open(t, "?_pragma=busy_timeout(100000)").Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			if _, err := other.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			began := time.Now()
			r.Data = []byte(`{"changed":true}`)
			_, err = s.Update(ctx, r)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Update of a locked file: %v, want the context's error", err)
			}
			if took := time.Since(began); took > 50*time.Second {
				t.Errorf("Update returned after %v, its context ended after 200ms", took)
			}
			if _, err := s.Load(t.Context(), r.ID); err != nil {
				t.Errorf("Load beside a writer: %v", err)
			}

			done := make(chan error, 1)
			go func() {
				_, err := s.Update(t.Context(), r)
				done <- err
			}()
			select {
			case err := <-done:
				t.Errorf("Update of a locked file returned: %v", err)
			case <-time.After(100 * time.Millisecond):
			}
			if _, err := other.ExecContext(t.Context(), "COMMIT"); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Errorf("Update of a file that was locked for a while: %v", err)
			}
		})
	}
}

// Close does not wait for a file that somebody else has locked, and those who do are
// told that the store is closed.
func TestCloseEndsTheWaiting(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, sqlstore.SQLite)
	s := newStore(t, sqlstore.Config{DB: db.open(t), Dialect: sqlstore.SQLite, Create: true})
	create(t, s, store.Record{ID: "id", Data: []byte("{}")})
	other, err := db.open(t).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	if _, err := other.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	const waiting = 3
	done := make(chan error, waiting)
	for range waiting {
		go func() { done <- s.Touch(t.Context(), "id", time.Now().Add(time.Hour)) }()
	}
	select {
	case err := <-done:
		t.Fatalf("Touch of a locked file: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for range waiting {
		if err := <-done; !errors.Is(err, store.ErrClosed) {
			t.Errorf("Touch that waited when the store was closed: %v", err)
		}
	}
}

// Nor does somebody who reads keep New from making the table, but for as long.
func TestCreateBesideReader(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, sqlstore.SQLite)
	reading := db.open(t)
	run(t, reading, "CREATE TABLE others (a)")
	tx, err := reading.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := tx.QueryRow("SELECT count(*) FROM others").Scan(&n); err != nil {
		t.Fatal(err)
	}
	pool := db.open(t)
	done := make(chan error, 1)
	go func() {
		s, err := sqlstore.New(t.Context(), sqlstore.Config{DB: pool, Dialect: sqlstore.SQLite, Create: true})
		if err == nil {
			err = s.Close()
		}
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("New beside a reader: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("New once the reader has gone: %v", err)
	}
}

const (
	writerFile  = "SQLSTORE_TEST_FILE"
	writerCount = "SQLSTORE_TEST_COUNT"
)

// Several processes count on one session: what each has been told is kept is kept.
func TestProcesses(t *testing.T) {
	t.Parallel()
	if file := os.Getenv(writerFile); file != "" {
		n, _ := strconv.Atoi(os.Getenv(writerCount))
		addUp(t, &database{dialect: sqlstore.SQLite, driver: "sqlite", dsn: file}, n)
		return
	}
	const processes, each = 3, 30
	db := newDatabase(t, sqlstore.SQLite)
	s := newStore(t, sqlstore.Config{DB: db.open(t), Dialect: sqlstore.SQLite, Create: true})
	if _, err := s.Create(t.Context(), store.Record{ID: "counter", Data: []byte("0"), Expires: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	var running []*exec.Cmd
	for range processes {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProcesses$")
		cmd.Env = append(os.Environ(), writerFile+"="+db.dsn, writerCount+"="+strconv.Itoa(each))
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		running = append(running, cmd)
	}
	for _, cmd := range running {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
	r, err := s.Load(t.Context(), "counter")
	if err != nil || string(r.Data) != strconv.Itoa(processes*each) {
		t.Errorf("the counter is %s, %v; want %d", r.Data, err, processes*each)
	}
}

// addUp adds n to the counter, one by one.
func addUp(t *testing.T, db *database, n int) {
	s := newStore(t, sqlstore.Config{DB: db.open(t), Dialect: sqlstore.SQLite})
	ctx, cancel := context.WithTimeout(t.Context(), maxWait)
	defer cancel()
	for done := 0; done < n; {
		r, err := s.Load(ctx, "counter")
		if err != nil {
			t.Fatal(err)
		}
		now, _ := strconv.Atoi(string(r.Data))
		r.Data = []byte(strconv.Itoa(now + 1))
		_, err = s.Update(ctx, r)
		switch {
		case err == nil:
			done++
		case !errors.Is(err, store.ErrConflict):
			t.Fatal(err)
		}
	}
}
