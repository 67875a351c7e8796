//go:build unix

package servers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// redisError is an error reply of Redis.
type redisError string

func (e redisError) Error() string { return string(e) }

// exchange connects, sends the commands in order and returns the last reply. An error reply to any
// command is returned as an error.
func exchange(ctx context.Context, addr string, commands ...[]string) (any, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return nil, err
		}
	}
	in := bufio.NewReader(conn)
	var answer any
	for _, command := range commands {
		var out strings.Builder
		fmt.Fprintf(&out, "*%d\r\n", len(command))
		for _, word := range command {
			fmt.Fprintf(&out, "$%d\r\n%s\r\n", len(word), word)
		}
		if _, err := io.WriteString(conn, out.String()); err != nil {
			return nil, err
		}
		if answer, err = readReply(in); err != nil {
			return nil, err
		}
	}
	return answer, nil
}

// readReply reads one reply of the second version of the protocol
// (redis.io/docs/latest/develop/reference/protocol-spec): a string, an int64, nil or a slice of
// these.
func readReply(in *bufio.Reader) (any, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return nil, err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return nil, errors.New("servers: an empty answer from Redis")
	}
	kind, rest := line[0], line[1:]
	switch kind {
	case '+':
		return rest, nil
	case '-':
		return nil, redisError(rest)
	case ':':
		return strconv.ParseInt(rest, 10, 64)
	}
	n, err := strconv.Atoi(rest)
	if err != nil || kind != '$' && kind != '*' {
		return nil, fmt.Errorf("servers: not an answer from Redis: %q", line)
	}
	if n < 0 {
		return nil, nil
	}
	if kind == '$' {
		text := make([]byte, n+2)
		if _, err := io.ReadFull(in, text); err != nil {
			return nil, err
		}
		return string(text[:n]), nil
	}
	list := make([]any, n)
	for i := range list {
		if list[i], err = readReply(in); err != nil {
			return nil, err
		}
	}
	return list, nil
}
