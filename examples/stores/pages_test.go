package stores_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/nestsession/session/internal/servers"
	"github.com/nestsession/session/redisstore"
	"github.com/nestsession/session/store"
	"github.com/nestsession/session/store/sqlstore"
)

// page returns a page of docs/stores.
func page(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "stores", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// inOneLine is a text wherever its lines end.
func inOneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// squeezed is SQL without its layout.
func squeezed(text string) string {
	text = inOneLine(strings.ReplaceAll(text, ";", " "))
	return regexp.MustCompile(` ?([(),]) ?`).ReplaceAllString(text, "$1")
}

// The tables on the pages are those that Config.Create makes.
func TestTheTablesOnThePages(t *testing.T) {
	t.Parallel()
	block := regexp.MustCompile("(?s)```sql\n(CREATE .*?)```")
	for name, dialect := range map[string]sqlstore.Dialect{
		"sqlite.md": sqlstore.SQLite, "postgresql.md": sqlstore.Postgres, "mysql.md": sqlstore.MySQL,
	} {
		statements, err := sqlstore.Statements(sqlstore.Config{Dialect: dialect})
		if err != nil {
			t.Fatal(err)
		}
		want := squeezed(strings.Join(statements, "; "))
		m := block.FindStringSubmatch(page(t, name))
		if m == nil {
			t.Errorf("%s shows no table", name)
		} else if got := squeezed(m[1]); got != want {
			t.Errorf("%s shows\n%s\nand the store makes\n%s", name, got, want)
		}
	}
}

// A user of Redis with the rights on the page can do all that a store does, and
// cannot touch other keys.
func TestTheRightsOnTheRedisPage(t *testing.T) {
	t.Parallel()
	rules := regexp.MustCompile(`- \*\*Users\*\* \(ACL\): (.*?) - \*\*`).FindStringSubmatch(inOneLine(page(t, "redis.md")))
	if rules == nil {
		t.Fatal("the page says nothing of users")
	}
	rights, cluster, found := strings.Cut(rules[1], "; in a Cluster also")
	if !found {
		t.Fatal("the page says nothing of a Cluster's")
	}
	quoted := func(text string) []string {
		var all []string
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(text, -1) {
			all = append(all, strings.Fields(m[1])...)
		}
		return all
	}
	t.Run("one server", func(t *testing.T) {
		t.Parallel()
		r := servers.StartRedis(t, servers.RedisOptions{})
		works(t, []*servers.Redis{r}, quoted(rights))
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		c := servers.StartRedisCluster(t, servers.ClusterOptions{})
		works(t, c.Nodes, append(quoted(rights), quoted(cluster)...))
	})
}

// works makes a user with the rights on all nodes, and a store that connects as it.
func works(t *testing.T, nodes []*servers.Redis, rights []string) {
	t.Helper()
	var addrs []string
	for _, n := range nodes {
		addrs = append(addrs, n.Addr())
		if _, err := n.Do(t.Context(), append([]string{"ACL", "SETUSER", "shop", "on", ">tea"}, rights...)...); err != nil {
			t.Fatalf("ACL SETUSER %q: %v", rights, err)
		}
	}
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: addrs, Username: "shop", Password: "tea"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	s, err := redisstore.New(t.Context(), redisstore.Config{Client: client})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	ctx := t.Context()
	r := store.Record{ID: "id", Owner: "ada", Data: []byte("{}"), Expires: time.Now().Add(time.Hour)}
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	r.Version, err = s.Create(ctx, r)
	must("create", err)
	r.Owner = "bob"
	_, err = s.Update(ctx, r)
	must("update", err)
	must("touch", s.Touch(ctx, "id", time.Now().Add(2*time.Hour)))
	for _, owner := range []string{"", "bob"} {
		found := 0
		for _, err := range s.List(ctx, owner) {
			found++
			must("list", err)
		}
		if found != 1 {
			t.Errorf("List(%q) has %d sessions, want 1", owner, found)
		}
	}
	_, err = s.TrimOwners(ctx)
	must("trim", err)
	must("delete", s.Delete(ctx, "id"))
	must("ping", s.Ping(ctx))
	if err := client.Do(ctx, client.B().Set().Key("other").Value("1").Build()).Error(); err == nil {
		t.Error("the user may write other keys too")
	}
}

// The pages say how many connections a store needs: here for 32 callers at once.
func TestConnectionsToRedis(t *testing.T) {
	t.Parallel()
	r := servers.StartRedis(t, servers.RedisOptions{})
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{r.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	s, err := redisstore.New(t.Context(), redisstore.Config{Client: client})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	var callers sync.WaitGroup
	for c := range 32 {
		callers.Go(func() {
			for i := range 50 {
				r := store.Record{ID: fmt.Sprint(c, i), Data: []byte("{}"), Expires: time.Now().Add(time.Hour)}
				if _, err := s.Create(t.Context(), r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	info, err := r.Info(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(info["connected_clients"])
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`at most (\d) connections a server`).FindStringSubmatch(inOneLine(page(t, "redis.md")))
	if m == nil {
		t.Fatal("the page does not say how many connections there are")
	}
	if said, _ := strconv.Atoi(m[1]); n-1 > said { // one asks this
		t.Errorf("there are %d connections; the page says %d", n-1, said)
	}
}
