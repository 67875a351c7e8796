package redisstore

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// inspect checks that the server answers and is suitable, as far as the user may poll it.
func (s *Store) inspect(ctx context.Context) error {
	if err := s.topology.ping(ctx); err != nil {
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
	if err := s.topology.checkMode(mode); err != nil {
		return err
	}
	memory, err := s.info(ctx, "memory")
	if err != nil {
		return s.wrap(ctx, "connect", err)
	}
	switch policy := field(memory, "maxmemory_policy"); {
	case policy == "" && s.hasOwners:
		s.config.Logger.WarnContext(ctx, "redisstore: the server does not say whether it evicts keys when its memory is full, so a listing by owner reads all sessions: allow the user INFO")
	case mayEvict(policy, field(memory, "maxmemory")):
		s.config.Logger.WarnContext(ctx, "redisstore: the server may evict any live session when its memory is full, and the indexes of owners, so that a listing by owner then reads all sessions: set maxmemory-policy to noeviction or volatile-ttl", "maxmemory-policy", policy)
	}
	return nil
}

// info returns a section of INFO, or nothing if the user may not call it.
func (s *Store) info(ctx context.Context, section string) (string, error) {
	text, err := s.do(ctx, s.client, s.b.Arbitrary("INFO", section).Build()).ToString()
	if _, refused := rueidis.IsRedisErr(err); refused {
		return "", nil
	}
	return text, err
}

// tooOld reports whether a version is below 6.2. It is false if version has another form.
func tooOld(version string) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	return err1 == nil && err2 == nil && (major < 6 || major == 6 && minor < 2)
}

// lines returns the lines of an answer in text, which in RESP3 begins with its format.
func lines(text string) iter.Seq[string] {
	return strings.Lines(strings.TrimPrefix(text, "txt:"))
}

// field returns the value of a field of INFO.
func field(info, name string) string {
	for line := range lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
