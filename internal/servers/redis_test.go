//go:build unix

package servers

import (
	"bufio"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// TestRedisAsksForItsPassword: a command without the password fails.
func TestRedisAsksForItsPassword(t *testing.T) {
	t.Parallel()
	r := StartRedis(t, RedisOptions{Password: "pass"})
	var refused redisError
	if _, err := exchange(t.Context(), r.Addr(), []string{"PING"}); !errors.As(err, &refused) || !strings.HasPrefix(err.Error(), "NOAUTH") {
		t.Errorf("without a password: %v", err)
	}
	if answer, err := r.Do(t.Context(), "PING"); answer != "PONG" || err != nil || r.Password() != "pass" {
		t.Errorf("%v, %v", answer, err)
	}
}

// TestReplicaHasItsMastersData: when StartRedis returns, the replica has the data.
func TestReplicaHasItsMastersData(t *testing.T) {
	t.Parallel()
	master := StartRedis(t, RedisOptions{Password: "pass", Extra: []string{"maxmemory-policy allkeys-lru"}})
	if _, err := master.Do(t.Context(), "SET", "key", "value"); err != nil {
		t.Fatal(err)
	}
	replica := StartRedis(t, RedisOptions{Password: "pass", ReplicaOf: master})
	if answer, err := replica.Do(t.Context(), "GET", "key"); answer != "value" || err != nil {
		t.Errorf("the replica has %v, %v", answer, err)
	}
	if answer, err := master.Do(t.Context(), "CONFIG", "GET", "maxmemory-policy"); err != nil || !reflect.DeepEqual(answer, []any{"maxmemory-policy", "allkeys-lru"}) {
		t.Errorf("the further line of the configuration: %v, %v", answer, err)
	}
	master.Kill()
	replica.Restart() // its master may be down then
}

// TestClusterIsWhole: every node serves its part, every master has its replica, and a replica takes
// over.
func TestClusterIsWhole(t *testing.T) {
	t.Parallel()
	c := StartRedisCluster(t, ClusterOptions{Replicas: 1, Password: "pass"})
	if len(c.Addrs()) != 6 {
		t.Fatalf("nodes %v", c.Addrs())
	}
	for i, node := range c.Nodes {
		info, err := node.Info(t.Context())
		if err != nil || info["cluster_enabled"] != "1" || info["role"] != map[bool]string{true: "master", false: "slave"}[i < 3] {
			t.Errorf("node %d: %v, role %s", i, err, info["role"])
		}
	}
	for shard := range 3 {
		info, err := c.Replica(shard, 0).Info(t.Context())
		if err != nil || info["master_port"] != c.Nodes[shard].Port() {
			t.Errorf("the replica of shard %d copies port %s, %v; want %s", shard, info["master_port"], err, c.Nodes[shard].Port())
		}
	}
	c.Nodes[0].Kill()
	if !eventually(func() bool {
		info, err := c.Replica(0, 0).Info(t.Context())
		return err == nil && info["role"] == "master"
	}) {
		t.Error("the replica did not take over")
	}
}

// TestSentinelReplacesTheMaster: the sentinels make a replica the master, and the old master comes
// back as a replica.
func TestSentinelReplacesTheMaster(t *testing.T) {
	t.Parallel()
	s := StartSentinel(t, SentinelOptions{Password: "pass"})
	if len(s.Addrs()) != 3 || len(s.Replicas) != 1 {
		t.Fatalf("sentinels %v, replicas %d", s.Addrs(), len(s.Replicas))
	}
	if addr, err := s.MasterAddr(t.Context()); addr != s.Master.Addr() || err != nil {
		t.Fatalf("the master is %s, %v; want %s", addr, err, s.Master.Addr())
	}
	s.Master.Kill()
	if !eventually(func() bool {
		addr, err := s.MasterAddr(t.Context())
		return err == nil && addr == s.Replicas[0].Addr()
	}) {
		t.Fatal("the replica did not take over")
	}
	s.Master.Restart()
	if !eventually(func() bool {
		info, err := s.Master.Info(t.Context())
		return err == nil && info["role"] == "slave" && info["master_port"] == s.Replicas[0].Port()
	}) {
		t.Error("the old master did not become a replica")
	}
}

func TestReplies(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text string
		want any
		err  string
	}{
		"simple":      {"+OK\r\n", "OK", ""},
		"number":      {":-3\r\n", int64(-3), ""},
		"bulk":        {"$5\r\na\r\nbc\r\n", "a\r\nbc", ""},
		"nil":         {"$-1\r\n", nil, ""},
		"nil list":    {"*-1\r\n", nil, ""},
		"list":        {"*2\r\n$1\r\na\r\n*1\r\n:1\r\n", []any{"a", []any{int64(1)}}, ""},
		"error":       {"-ERR no\r\n", nil, "ERR no"},
		"empty":       {"\r\n", nil, "empty answer"},
		"cut":         {"$5\r\nab", nil, "EOF"},
		"nothing":     {"", nil, "EOF"},
		"other":       {"HTTP/1.1 400\r\n", nil, "not an answer"},
		"list is cut": {"*2\r\n:1\r\n", nil, "EOF"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readReply(bufio.NewReader(strings.NewReader(test.text)))
			if test.err == "" && err == nil && reflect.DeepEqual(got, test.want) {
				return
			}
			if test.err == "" || err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%#v, %v; want %#v, %s", got, err, test.want, strconv.Quote(test.err))
			}
		})
	}
}
