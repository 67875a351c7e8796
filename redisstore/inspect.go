package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// inspect checks that the server answers and is fit, as far as it may be asked.
func (s *Store) inspect(ctx context.Context) error {
	if err := s.ping(ctx); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("redisstore: connect: the server does not answer: %w", ctx.Err())
		}
		return s.wrap(ctx, "connect", err)
	}
	server, err := s.info(ctx, "server")
	if err != nil {
		return s.wrap(ctx, "connect", err)
	}
	if v := field(server, "redis_version"); tooOld(v) {
		return fmt.Errorf("redisstore: the server is Redis %s: 6.2 is the least", v)
	}
	mode := cmp.Or(field(server, "redis_mode"), field(server, "server_mode")) // Valkey
	if mode == "cluster" && !s.cluster {
		return errors.New("redisstore: the server is a node of a Cluster, the client one for a single server: leave out rueidis.ClientOption.ForceSingleClient")
	}
	memory, err := s.info(ctx, "memory")
	if err != nil {
		return s.wrap(ctx, "connect", err)
	}
	switch policy := field(memory, "maxmemory_policy"); {
	case policy == "" && s.owned:
		s.config.Logger.WarnContext(ctx, "redisstore: the server does not say whether it throws away keys when its memory is full, so that the sessions of an owner are looked for among all: allow the user INFO")
	case mayEvict(policy, field(memory, "maxmemory")):
		s.config.Logger.WarnContext(ctx, "redisstore: the server may throw away any live session, and the indexes of owners, whose sessions then have to be looked for among all, when its memory is full: set maxmemory-policy to noeviction or volatile-ttl", "maxmemory-policy", policy)
	}
	return nil
}

// info is a section of INFO, or nothing if that is not permitted.
func (s *Store) info(ctx context.Context, section string) (string, error) {
	text, err := s.do(ctx, s.client, s.b.Arbitrary("INFO", section).Build()).ToString()
	if _, refused := rueidis.IsRedisErr(err); refused {
		return "", nil
	}
	return text, err
}

// tooOld reports whether a version is below 6.2. One that cannot be read is not.
func tooOld(version string) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	return err1 == nil && err2 == nil && (major < 6 || major == 6 && minor < 2)
}

var errDown = errors.New("the cluster does not serve all slots")

// ping asks once: rueidis would send a read again and again, and hide why.
func (s *Store) ping(ctx context.Context) error {
	if !s.cluster {
		return s.do(ctx, s.client, s.b.Arbitrary("PING").Build()).Error()
	}
	text, err := s.do(ctx, s.client, s.b.Arbitrary("CLUSTER", "INFO").Build()).ToString()
	if err == nil && field(text, "cluster_state") != "ok" {
		err = errDown
	}
	return err
}
