package storeurl

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// scheme is the meaning of the part of a URL before the colon.
type scheme struct {
	kind     Kind
	port     string
	tls      bool
	sentinel bool
	cluster  bool
}

var schemes = map[string]scheme{
	"memory":          {kind: Memory},
	"sqlite":          {kind: SQLite},
	"postgres":        {kind: Postgres, port: "5432"},
	"postgresql":      {kind: Postgres, port: "5432"},
	"mysql":           {kind: MySQL, port: "3306"},
	"mariadb":         {kind: MySQL, port: "3306"},
	"redis":           {kind: Redis, port: "6379"},
	"rediss":          {kind: Redis, port: "6379", tls: true},
	"redis+sentinel":  {kind: Redis, port: "26379", sentinel: true},
	"rediss+sentinel": {kind: Redis, port: "26379", sentinel: true, tls: true},
	"redis+cluster":   {kind: Redis, port: "6379", cluster: true},
	"rediss+cluster":  {kind: Redis, port: "6379", cluster: true, tls: true},
	"nats":            {kind: NATS, port: "4222"},
	"tls":             {kind: NATS, port: "4222", tls: true},
}

// Forms are the forms of a URL, for errors and help.
const Forms = "memory: · sqlite:PATH · postgres://USER@HOST/DATABASE · mysql://USER@HOST/DATABASE · redis://HOST · " +
	"redis+sentinel://HOST,HOST?master=NAME · redis+cluster://HOST,HOST · rediss… with TLS · nats://HOST,HOST · tls://HOST,HOST"

// errEscape says nothing of the URL, since the wrong escape may be in a password.
var errEscape = errors.New("it is not a valid URL: in a user name and a password, write % as %25, @ as %40, : as %3A, / as %2F, ? as %3F and # as %23, or keep the password in a file")

// Parse reads a URL. With express, the default layout is that of the npm package. The error says
// what to write, and has no password in it.
func Parse(text string, express bool) (*Target, error) {
	name, rest, found := strings.Cut(text, ":")
	s, known := schemes[strings.ToLower(name)]
	if !found || !known {
		if found && !strings.ContainsAny(name, "@/ ") && len(name) < 20 {
			return nil, fmt.Errorf("there is no store %q: write one of %s", name+":", Forms)
		}
		return nil, fmt.Errorf("this is not the URL of a store: write one of %s", Forms)
	}
	t := &Target{Kind: s.kind, TLS: s.tls, Cluster: s.cluster}
	var query string
	var err error
	switch s.kind {
	case Memory:
		t.Layout = Native
		return t, t.memory(rest)
	case SQLite:
		query, err = t.file(rest)
	default:
		query, err = t.server(s, rest)
	}
	if err != nil {
		return nil, err
	}
	return t, t.parameters(s, query, express)
}

// UsersForms are the forms of a URL for users.
const UsersForms = "sqlite:PATH · postgres://USER@HOST/DATABASE · mysql://USER@HOST/DATABASE · nats://HOST,HOST · tls://HOST,HOST"

// ParseUsers reads the URL of a database for users. It takes the parameters of a connection, schema
// and create; the others are about the table of sessions, and an error.
func ParseUsers(text string) (*Target, error) {
	t, err := Parse(text, false)
	if err != nil {
		return nil, err
	}
	if !slices.Contains([]Kind{SQLite, Postgres, MySQL, NATS}, t.Kind) {
		return nil, fmt.Errorf("users cannot be in %s: write one of %s", t.Kind, UsersForms)
	}
	_, query, _ := strings.Cut(text, "?")
	values, _ := url.ParseQuery(query) // Parse has read it
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains([]string{"schema", "create", "bucket", "replicas"}, name) && !slices.Contains(theirs[t.Kind], name) {
			return nil, fmt.Errorf("the parameter %s is about the table of sessions: leave it out for users", name)
		}
	}
	return t, nil
}

// memory reads what follows memory:, which is nothing, or the file of a snapshot.
func (t *Target) memory(rest string) error {
	path, query, more := strings.Cut(rest, "?")
	if strings.Trim(path, "/") != "" {
		return errors.New("after memory: only ?snapshot=FILE may follow")
	}
	if !more {
		return nil
	}
	values, err := url.ParseQuery(query)
	if file := values["snapshot"]; err != nil || len(values) != 1 || len(file) != 1 || file[0] == "" || strings.ContainsRune(file[0], 0) {
		return errors.New("memory: has only one parameter: write memory:?snapshot=FILE, and in FILE % as %25, & as %26 and + as %2B")
	}
	t.Path, err = filepath.Abs(values.Get("snapshot"))
	return err
}

// file reads the part after sqlite: up to the parameters.
func (t *Target) file(rest string) (query string, err error) {
	path, query, _ := strings.Cut(rest, "?")
	if strings.HasPrefix(path, "//") && !strings.HasPrefix(path, "///") {
		return "", errors.New("after sqlite: only the path may follow, such as sqlite:sessions.db in this folder or sqlite:/var/lib/app/sessions.db in another")
	}
	if path = strings.TrimPrefix(path, "//"); path == "" {
		return "", errors.New("after sqlite: the path of a file must follow, such as sqlite:sessions.db")
	}
	if path, err = url.PathUnescape(path); err != nil || strings.ContainsRune(path, 0) {
		return "", errors.New("the path after sqlite: cannot be read: write % as %25 and ? as %3F")
	}
	if strings.HasPrefix(path, ":memory:") {
		return "", errors.New("write memory: for sessions in memory")
	}
	t.Path, err = filepath.Abs(path)
	return query, err
}

// server reads the part after the scheme of a server, up to the parameters.
func (t *Target) server(s scheme, rest string) (query string, err error) {
	rest, slashes := strings.CutPrefix(rest, "//")
	if !slashes {
		return "", errors.New("after the colon two slashes and a host must follow, such as redis://localhost")
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	if strings.ContainsAny(tail, "@#") {
		return "", errEscape // most likely a password with a slash in it
	}
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		if err := t.userinfo(authority[:at]); err != nil {
			return "", err
		}
		authority = authority[at+1:]
	}
	if t.Hosts, err = hosts(authority, s.port); err != nil {
		return "", err
	}
	if len(t.Hosts) > 1 && !s.sentinel && !s.cluster && s.kind != NATS {
		return "", errors.New("only nats://, redis+sentinel:// and redis+cluster:// take several hosts: name one host")
	}
	path, query, _ := strings.Cut(tail, "?")
	if t.Database, err = url.PathUnescape(strings.TrimPrefix(path, "/")); err != nil || strings.Contains(t.Database, "/") {
		return "", errEscape
	}
	return query, t.checkDatabase(s)
}

func (t *Target) userinfo(text string) error {
	user, password, _ := strings.Cut(text, ":")
	var errs [2]error
	t.User, errs[0] = url.PathUnescape(user)
	t.password, errs[1] = url.PathUnescape(password)
	if errors.Join(errs[:]...) != nil || strings.ContainsAny(text, "@ ") || strings.Contains(password, ":") {
		return errEscape
	}
	return nil
}

// hosts splits a list of hosts, and gives each a port.
func hosts(list, port string) ([]string, error) {
	var out []string
	for part := range strings.SplitSeq(list, ",") {
		host, p := part, port
		if colon := strings.LastIndexByte(part, ':'); colon >= 0 && !strings.HasSuffix(part, "]") {
			host, p = part[:colon], part[colon+1:]
			if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
				return nil, fmt.Errorf("the text after the host is not a port, which is a number up to 65535; if it is not meant as a port: %w", errEscape)
			}
		}
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
		if host == "" {
			return nil, errors.New("the URL names no host: write one after the two slashes, such as localhost or db.example.com:5432")
		}
		if strings.ContainsAny(host, ":%") && net.ParseIP(host) == nil || strings.ContainsAny(host, "[] ") {
			return nil, errEscape
		}
		out = append(out, net.JoinHostPort(host, p))
	}
	return out, nil
}

func (t *Target) checkDatabase(s scheme) error {
	if s.kind == NATS {
		if t.Database != "" {
			return errors.New("after the hosts of NATS only parameters may follow: name another bucket with ?bucket=NAME")
		}
		return nil
	}
	if s.kind != Redis {
		if t.Database == "" {
			return fmt.Errorf("the URL names no database: write its name after the host, such as %s/app", strings.ToLower(string(s.kind))+"://localhost")
		}
		return nil
	}
	if s.cluster && t.Database != "" && t.Database != "0" {
		return errors.New("a Redis Cluster has only database 0: leave the number out")
	}
	if t.Database != "" {
		if n, err := strconv.ParseUint(t.Database, 10, 16); err != nil || n > 65535 {
			return errors.New("after the host only the number of a Redis database may follow, such as redis://localhost/0")
		}
	}
	if t.Database == "0" {
		t.Database = ""
	}
	return nil
}
