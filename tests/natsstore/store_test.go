package natsstore_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/natsstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/tests/internal/natsserver"
)

func stream(t testing.TB, conn *nats.Conn, bucket string) jetstream.Stream {
	t.Helper()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), "KV_"+bucket)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// subjects returns how many messages the bucket has below the name.
func subjects(t testing.TB, conn *nats.Conn, bucket, below string) (all []string) {
	t.Helper()
	info, err := stream(t, conn, bucket).Info(t.Context(), jetstream.WithSubjectFilter("$KV."+bucket+"."+below+".>"))
	if err != nil {
		t.Fatal(err)
	}
	for subject := range info.State.Subjects {
		all = append(all, subject)
	}
	return all
}

// New refuses a configuration or a bucket with which it would not keep its promises, and says why.
func TestRefused(t *testing.T) {
	t.Parallel()
	conn := connect(t, startOne(t))
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	whole := jetstream.StreamConfig{Storage: jetstream.MemoryStorage, MaxMsgsPerSubject: 1, AllowDirect: true, AllowMsgTTL: true, AllowAtomicPublish: true}
	for name, c := range map[string]struct {
		config natsstore.Config
		bucket func(*jetstream.StreamConfig) // nil: there is none
		says   string
	}{
		"no connection":        {natsstore.Config{Bucket: "x"}, nil, "Config.Conn is nil"},
		"a name with a dot":    {natsstore.Config{Conn: conn, Bucket: "a.b"}, nil, "letters, digits"},
		"many replicas":        {natsstore.Config{Conn: conn, Replicas: 7}, nil, "Config.Replicas is 7"},
		"a negative timeout":   {natsstore.Config{Conn: conn, Timeout: -1}, nil, "Config.Timeout"},
		"a negative beat":      {natsstore.Config{Conn: conn, Heartbeat: -1}, nil, "Config.Heartbeat"},
		"replicas, one server": {natsstore.Config{Conn: conn, Bucket: "three", Replicas: 3, Timeout: time.Second}, nil, "replicas"},
		"other replicas":       {natsstore.Config{Conn: conn, Bucket: "other", Replicas: 3}, func(*jetstream.StreamConfig) {}, "it exists with 1 replicas"},
		"a plain bucket":       {natsstore.Config{Conn: conn, Bucket: "plain"}, func(c *jetstream.StreamConfig) { c.AllowAtomicPublish = false }, "atomic batches"},
		"a history":            {natsstore.Config{Conn: conn, Bucket: "history"}, func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 5 }, "one value a key"},
		"a limit":              {natsstore.Config{Conn: conn, Bucket: "limit"}, func(c *jetstream.StreamConfig) { c.MaxBytes = 1 << 20 }, "limit of bytes"},
		"an age":               {natsstore.Config{Conn: conn, Bucket: "age"}, func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour }, "limit of bytes, messages or age"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.bucket != nil {
				config := whole
				config.Name, config.Subjects = "KV_"+c.config.Bucket, []string{"$KV." + c.config.Bucket + ".>"}
				c.bucket(&config)
				if _, err := js.CreateStream(t.Context(), config); err != nil {
					t.Fatal(err)
				}
			}
			s, err := natsstore.New(t.Context(), c.config)
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v; want an error that says %q", err, c.says)
			}
		})
	}
}

// A session that is larger than the server takes is refused, and the error says what to change.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	conn := connect(t, startOne(t))
	s := newStore(t, natsstore.Config{Conn: conn})
	_, err := s.Create(t.Context(), store.Record{ID: "secret-id", Owner: "user:42", Data: make([]byte, 9<<20), Expires: in(time.Hour)})
	if err == nil || !strings.Contains(err.Error(), "max_payload") || strings.Contains(err.Error(), "secret-id") {
		t.Errorf("%v", err)
	}
	if _, err := s.Load(t.Context(), "secret-id"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("after a Create that failed: %v", err)
	}
}

// If the server's disk is full, sessions cannot be created, and the error is ErrFull. When there is
// room again, everything works.
func TestFull(t *testing.T) {
	t.Parallel()
	server := natsserver.Start(t, 1, servers.NATSOptions{Extra: []string{"jetstream { max_file_store: 4MB, store_dir: " + strconv.Quote(folder(t)) + " }"}})[0]
	s := newStore(t, natsstore.Config{Conn: dial(t, server)})
	var err error
	n := 0
	for ; err == nil && n < 100; n++ {
		_, err = s.Create(t.Context(), store.Record{ID: fmt.Sprint("id", n), Data: make([]byte, 500_000), Expires: in(time.Hour)})
	}
	if !errors.Is(err, store.ErrFull) {
		t.Fatalf("after %d sessions: %v, want store.ErrFull", n, err)
	}
	if _, err := s.Load(t.Context(), "id0"); err != nil {
		t.Errorf("Load while the disk is full: %v", err)
	}
}

// The servers remove sessions, entries and markers by themselves.
func TestServersExpire(t *testing.T) {
	t.Parallel()
	conn := connect(t, startOne(t))
	s := newStore(t, natsstore.Config{Conn: conn, Bucket: "expire"})
	for _, id := range []string{"hour", "ever", "deleted", "foreverdeleted", "shortened", "shorteneddeleted"} {
		r := store.Record{ID: id, Owner: "user:42", Expires: in(time.Hour)}
		if strings.Contains(id, "ever") {
			r.Expires = time.Time{}
		}
		var err error
		if r.Version, err = s.Create(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(id, "shortened") {
			r.Expires = in(time.Minute)
			if _, err := newStore(t, natsstore.Config{Conn: conn, Bucket: "expire"}).Update(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		if strings.HasSuffix(id, "deleted") {
			if err := newStore(t, natsstore.Config{Conn: conn, Bucket: "expire"}).Delete(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
	}
	lasts := [2]time.Duration{time.Hour + natsstore.ClockSlack - time.Minute, time.Hour + natsstore.ClockSlack + 2*time.Second}
	for subject, want := range map[string][2]time.Duration{
		"id.ihour":          {time.Hour + natsstore.ClockSlack - time.Minute, time.Hour + natsstore.ClockSlack},
		"owner.huser.ihour": {3*time.Hour + natsstore.ClockSlack - time.Minute, 3*time.Hour + natsstore.ClockSlack},
		"id.iever":          {},
		// A message lasts as long as each that it replaces: a server that is killed may find that one again.
		"id.ideleted":          lasts,
		"id.iforeverdeleted":   {},
		"id.ishortened":        lasts,
		"id.ishorteneddeleted": lasts,
		"owner.huser.ideleted": {time.Minute, time.Minute},
	} {
		if strings.HasPrefix(subject, "owner.huser") {
			for _, entry := range subjects(t, conn, "expire", "owner") {
				if strings.HasSuffix(entry, subject[strings.LastIndex(subject, "."):]) {
					subject = strings.TrimPrefix(entry, "$KV.expire.")
				}
			}
		}
		m, err := stream(t, conn, "expire").GetLastMsgForSubject(t.Context(), "$KV.expire."+subject)
		if err != nil {
			t.Errorf("%s: %v", subject, err)
			continue
		}
		text := m.Header.Get("Nats-TTL")
		ttl, _ := time.ParseDuration(text)
		if want[1] == 0 && text != "never" || ttl < want[0] || ttl > want[1] {
			t.Errorf("%s expires after %s, want %v", subject, text, want)
		}
	}
}

// An owner's index has no entry of what was deleted or has another owner, also if something was left:
// a listing removes it.
func TestIndex(t *testing.T) {
	t.Parallel()
	t.Run("one server", func(t *testing.T) { index(t, connect(t, startOne(t)), false) })
	t.Run("three", func(t *testing.T) { index(t, connect(t, startThree(t)[0]), true) })
}

func index(t *testing.T, conn *nats.Conn, batches bool) {
	s := newStore(t, natsstore.Config{Conn: conn, Bucket: "index"})
	r := store.Record{ID: "id", Owner: "one", Expires: in(time.Hour)}
	var err error
	if r.Version, err = s.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	r.Owner = "two"
	if r.Version, err = s.Update(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	left := func(owner string) string {
		m, err := stream(t, conn, "index").GetLastMsgForSubject(t.Context(), "$KV.index.owner.i"+owner+".iid")
		if err != nil {
			return "nothing"
		}
		return m.Header.Get("KV-Operation")
	}
	if one, two := left("one"), left("two"); one != "DEL" || two != "" {
		t.Errorf("after a change of the owner the old one's index has %q, the new one's %q", one, two)
	}
	// Another program deletes the session and leaves the entry.
	if err := stream(t, conn, "index").Purge(t.Context(), jetstream.WithPurgeSubject("$KV.index.id.iid")); err != nil {
		t.Fatal(err)
	}
	for r, err := range s.List(t.Context(), "two") {
		t.Errorf("%v, %v is listed", r, err)
	}
	// Without batches it may be of a session that is about to be written.
	if two := left("two"); two == "DEL" != batches {
		t.Errorf("after a listing the index has the entry %q", two)
	}
	if _, err := s.Create(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	n := 0
	for range s.List(t.Context(), "two") {
		n++
	}
	if n != 1 {
		t.Errorf("a session of the same id and owner is listed %d times", n)
	}
}

// A bucket that was deleted and made again does not give old versions again.
func TestVersionsOfANewBucket(t *testing.T) {
	t.Parallel()
	conn := connect(t, startOne(t))
	var last store.Version
	for range 3 {
		s := newStore(t, natsstore.Config{Conn: conn, Bucket: "again"})
		for range 3 {
			v, err := s.Create(t.Context(), store.Record{ID: "id", Expires: in(time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			if v <= last {
				t.Errorf("version %d after %d", v, last)
			}
			last = v
			if err := s.Delete(t.Context(), "id"); err != nil {
				t.Fatal(err)
			}
		}
		deleteBucket(t, conn, "again")
	}
}

// A value of another program is a session without data, which can be replaced and deleted.
func TestForeignValue(t *testing.T) {
	t.Parallel()
	conn := connect(t, startOne(t))
	s := newStore(t, natsstore.Config{Conn: conn, Bucket: "foreign"})
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range []string{"", "x", "\x01", strings.Repeat("\xff", 100), "\x01" + strings.Repeat("\xff", 100)} {
		id := fmt.Sprint("id", i)
		if _, err := js.Publish(t.Context(), "$KV.foreign.id.i"+id, []byte(text)); err != nil {
			t.Fatal(err)
		}
		r, err := s.Load(t.Context(), id)
		if err != nil || len(r.Data) > 0 || r.Owner != "" || r.Version == 0 {
			t.Errorf("%q: %v, %v", text, r, err)
		}
		r.Data = []byte("{}")
		if _, err := s.Update(t.Context(), r); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if err := s.Delete(t.Context(), id); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A listing has each session of an owner with thousands of them, while they are saved and touched.
func TestListOfMany(t *testing.T) {
	t.Parallel()
	all := startThree(t)
	s := newStore(t, natsstore.Config{Conn: connect(t, all[0])})
	other := newStore(t, natsstore.Config{Conn: connect(t, all[1])})
	const many = 500
	for i := range many {
		if _, err := s.Create(t.Context(), store.Record{ID: fmt.Sprint("id", i), Owner: "user:42", Expires: in(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ctx.Err() == nil; i++ {
			_ = other.Touch(ctx, fmt.Sprint("id", i%many), in(time.Duration(i+1)*time.Hour))
		}
	}()
	for _, owner := range []string{"", "user:42"} {
		for range 3 {
			seen := map[string]int{}
			for r, err := range s.List(t.Context(), owner) {
				if err != nil {
					t.Fatal(err)
				}
				seen[r.ID]++
			}
			for i := range many {
				if n := seen[fmt.Sprint("id", i)]; n != 1 {
					t.Errorf("owner %q: id%d is listed %d times", owner, i, n)
				}
			}
		}
	}
	stop()
	<-done
}
