package redisstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/tests/internal/relay"
)

// says checks that an error tells what to do, and no id.
func says(t *testing.T, what string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
		t.Errorf("%s: %v; want an error with %q and without ids or passwords", what, err, want)
	}
}

// What cannot work is refused by New.
func TestNewRefuses(t *testing.T) {
	t.Parallel()
	client := connect(t, single(servers.SharedRedis(t)))
	cluster := connect(t, rueidis.ClientOption{InitAddress: sharedCluster().Addrs()})
	o := rueidis.ClientOption{InitAddress: sharedCluster().Addrs()[:1], ForceSingleClient: true}
	forced := connect(t, o)
	closed, err := rueidis.NewClient(single(servers.SharedRedis(t)))
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx    context.Context
		config redisstore.Config
		want   string
	}{
		"no client":           {t.Context(), redisstore.Config{}, "rueidis.NewClient"},
		"closed client":       {t.Context(), redisstore.Config{Client: closed}, "Config.Client is closed"},
		"ended context":       {ended, redisstore.Config{Client: client}, "context canceled"},
		"no hash tag":         {t.Context(), redisstore.Config{Client: cluster, Prefix: "{app:"}, "brace"},
		"empty hash tag":      {t.Context(), redisstore.Config{Client: cluster, Prefix: "{}app:"}, "brace"},
		"brace that closes":   {t.Context(), redisstore.Config{Client: cluster, Prefix: "app}:"}, "brace"},
		"counts' prefix":      {t.Context(), redisstore.Config{Client: client, Prefix: "#:x"}, "choose another"},
		"index's prefix":      {t.Context(), redisstore.Config{Client: client, Prefix: "nest-owner:"}, "choose another"},
		"in index's prefix":   {t.Context(), redisstore.Config{Client: client, Prefix: "nest-owner:x"}, "choose another"},
		"before the index's":  {t.Context(), redisstore.Config{Client: client, Prefix: "nest-"}, "choose another"},
		"before the trimming": {t.Context(), redisstore.Config{Client: client, Prefix: "nest-trim"}, "choose another"},
		"ttl without express": {t.Context(), redisstore.Config{Client: client, TTL: time.Hour}, "Config.Express"},
		"ttl not in seconds":  {t.Context(), redisstore.Config{Client: client, Express: true, TTL: 1500 * time.Millisecond}, "whole seconds"},
		"negative ttl":        {t.Context(), redisstore.Config{Client: client, Express: true, TTL: -time.Second}, "whole seconds"},
		"node as a server":    {t.Context(), redisstore.Config{Client: forced}, "ForceSingleClient"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := redisstore.New(test.ctx, test.config)
			says(t, "New", err, test.want)
		})
	}
}

// Redis before 6.2 lacks commands that the store needs.
func TestNewRefusesOldServers(t *testing.T) {
	t.Parallel()
	server := servers.StartRedis(t, servers.RedisOptions{})
	version := regexp.MustCompile(`redis_version:\d+\.\d+\.`)
	for said, ok := range map[string]bool{"6.0": false, "5.9": false, "6.2": true, "7.0": true} {
		p := relay.New(t, server.Addr())
		p.OnReply(func(answer []byte) []byte {
			old := version.Find(answer)
			if old == nil {
				return answer
			}
			text := "redis_version:" + said + "."
			return bytes.Replace(answer, old, []byte(text+strings.Repeat("0", len(old)-len(text))), 1)
		})
		_, err := redisstore.New(t.Context(), redisstore.Config{
			Client: connect(t, through(single(server), map[string]*relay.Relay{server.Addr(): p})), TrimInterval: -1,
		})
		if ok && err != nil {
			t.Errorf("Redis %s: %v", said, err)
		} else if !ok {
			says(t, "Redis "+said, err, "6.2 is the least")
		}
	}
}

// A server that is not there, or that has another password by now.
func TestNewWithoutAServer(t *testing.T) {
	t.Parallel()
	server := servers.StartRedis(t, servers.RedisOptions{Password: "secret1"})
	client := connect(t, single(server))
	do(t, server, "CONFIG", "SET", "requirepass", "secret2")
	do2 := func(command ...string) { // with the new password
		c := connect(t, rueidis.ClientOption{InitAddress: []string{server.Addr()}, Password: "secret2"})
		if err := c.Do(t.Context(), c.B().Arbitrary(command...).Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	do2("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	eventually(t, "the old password is refused", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := redisstore.New(ctx, redisstore.Config{Client: client})
		if err == nil || errors.Is(err, ctx.Err()) || strings.Contains(err.Error(), "EOF") {
			return false
		}
		says(t, "New", err, "refuses the user name or password")
		return true
	})
	server.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	eventually(t, "the client has noticed", func() bool {
		_, err := redisstore.New(ctx, redisstore.Config{Client: client})
		if err == nil || strings.Contains(err.Error(), "EOF") {
			return false
		}
		says(t, "New", err, "connection refused")
		return true
	})
}

// What a server refuses is an error that says what to do, and leaves the session as
// it was. Being out of memory is ErrFull, and does not keep sessions from being
// read, touched and deleted.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]redisstore.Config{"native": {}, "express": expressConfig} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := servers.StartRedis(t, servers.RedisOptions{})
			c := c
			c.Client, c.Prefix = connect(t, single(server)), newPrefix()
			s := newStore(t, c)
			ctx := t.Context()
			r := mustCreate(t, s, owned("secret-id", "user:1", in(time.Hour)))
			next := r
			next.Data = fmt.Append(nil, `{"owner":"user:1","x":"`, strings.Repeat("x", 1000), `"}`)
			writes := func(want string, sentinel error) {
				t.Helper()
				_, err := s.Update(ctx, next)
				says(t, "Update", err, want)
				if sentinel != nil && !errors.Is(err, sentinel) {
					t.Errorf("Update: %v, want %v", err, sentinel)
				}
				_, err = s.Create(ctx, owned("secret-other", "user:1", in(time.Hour)))
				says(t, "Create", err, want)
				if sentinel != nil && !errors.Is(err, sentinel) {
					t.Errorf("Create: %v, want %v", err, sentinel)
				}
				if got, err := s.Load(ctx, r.ID); err != nil || got.Version != r.Version || string(got.Data) != string(r.Data) {
					t.Errorf("Load: %s, %v; want the session as it was", got.Data, err)
				}
			}
			do(t, server, "CONFIG", "SET", "maxmemory", "1")
			writes("maxmemory", store.ErrFull)
			for _, expires := range []time.Time{{}, in(2 * time.Hour)} {
				if err := s.Touch(ctx, r.ID, expires); err != nil {
					t.Errorf("Touch on a full server: %v", err)
				}
				if got, err := s.Load(ctx, r.ID); err != nil || got.Expires.IsZero() != expires.IsZero() || got.Expires.Sub(expires).Abs() > 2*time.Second {
					t.Errorf("Load after Touch: %v, %v; want %v", got.Expires, err, expires)
				}
			}
			ended := r // as a logout keeps it for a while
			ended.Owner, ended.Data, ended.Expires = "", []byte(`{}`), in(time.Minute)
			var err error
			if ended.Version, err = s.Update(ctx, ended); err != nil {
				t.Errorf("Update to something smaller on a full server: %v", err)
			}
			if got, err := s.Load(ctx, r.ID); err != nil || string(got.Data) != `{}` || got.Owner != "" || got.Expires.IsZero() {
				t.Errorf("Load after that: %+v, %v", got, err)
			}
			ended.Data = nil
			if _, err = s.Update(ctx, ended); err != nil {
				t.Errorf("Update of nobody's session to something smaller on a full server: %v", err)
			}
			if err := s.Delete(ctx, r.ID); err != nil {
				t.Errorf("Delete on a full server: %v", err)
			}
			do(t, server, "CONFIG", "SET", "maxmemory", "0")

			r = mustCreate(t, s, owned("secret-id", "user:1", in(time.Hour)))
			next.Version = r.Version
			do(t, server, "CONFIG", "SET", "min-replicas-to-write", "1")
			writes("min-replicas-to-write", nil)
			do(t, server, "CONFIG", "SET", "min-replicas-to-write", "0")

			do(t, server, "REPLICAOF", "127.0.0.1", "1") // of nobody: it keeps what it has
			writes("read-only replica", nil)
			do(t, server, "REPLICAOF", "NO", "ONE")
			if _, err := s.Update(ctx, next); err != nil {
				t.Errorf("Update once all is well: %v", err)
			}
		})
	}
}

// A user with too few rights is told so.
func TestRights(t *testing.T) {
	t.Parallel()
	server := servers.StartRedis(t, servers.RedisOptions{})
	do(t, server, "ACL", "SETUSER", "app", "on", ">secret", "~nest*", "+@all", "-@scripting", "-info", "-@dangerous", "+client")
	o := single(server)
	o.Username, o.Password = "app", "secret"
	s := newStore(t, redisstore.Config{Client: connect(t, o)})
	_, err := s.Create(t.Context(), owned("secret-id", "user:1", in(time.Hour)))
	says(t, "Create", err, "ACL SETUSER")
	do(t, server, "ACL", "SETUSER", "app", "+evalsha", "+eval")
	if _, err = s.Create(t.Context(), owned("id", "user:1", in(time.Hour))); err != nil {
		t.Errorf("Create with scripts: %v", err)
	}
	wantListed(t, s, "", "id")
	wantListed(t, s, "user:1", "id")
}

// A server that evicts any key would lose live sessions; the operator hears of it.
func TestWarnsOfEviction(t *testing.T) {
	t.Parallel()
	for policy, warned := range map[string]bool{"allkeys-lru": true, "volatile-ttl": false, "noeviction": false} {
		server := servers.StartRedis(t, servers.RedisOptions{Extra: []string{"maxmemory 100mb", "maxmemory-policy " + policy}})
		var log strings.Builder
		newStore(t, redisstore.Config{Client: connect(t, single(server)), Logger: logTo(&log)})
		if got := strings.Contains(log.String(), "maxmemory-policy"); got != warned {
			t.Errorf("%s: the log is %q", policy, log.String())
		}
	}
}
