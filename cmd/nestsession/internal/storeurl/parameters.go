package storeurl

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// columns are the parameters for a table's columns that have other names than in its layout.
var columns = []string{"column.sid", "column.data", "column.expires"}

// ours are the parameters of each kind that this program interprets.
var ours = map[Kind][]string{
	SQLite:   slices.Concat(columns, []string{"create", "layout", "owner-column", "table", "ttl"}),
	Postgres: slices.Concat(columns, []string{"create", "layout", "notify", "owner-column", "schema", "table", "time-zone", "ttl"}),
	MySQL:    slices.Concat(columns, []string{"create", "layout", "owner-column", "table", "ttl"}),
	Redis:    {"layout", "notify", "prefix", "ttl"},
	NATS:     {"bucket", "replicas"},
}

// theirs are the parameters that are passed to the driver.
var theirs = map[Kind][]string{
	Postgres: {"application_name", "connect_timeout", "sslcert", "sslkey", "sslmode", "sslrootcert", "target_session_attrs"},
	MySQL:    {"tls"},
}

// words are the allowed values of some of the drivers' parameters.
var words = map[string][]string{
	"sslmode": {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"},
	"tls":     {"true", "false", "skip-verify", "preferred"},
}

// bucketName is what a bucket may be called; "" is the default.
var bucketName = regexp.MustCompile(`^[a-zA-Z0-9_-]*$`)

// parameters reads the part after the question mark.
func (t *Target) parameters(s scheme, query string, express bool) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("the parameters after the question mark cannot be read: write name=value&name=value, and % as %25, & as %26")
	}
	allowed := slices.Concat(ours[t.Kind], theirs[t.Kind])
	if s.sentinel {
		allowed = append(allowed, "master", "sentinel-auth")
	}
	slices.Sort(allowed)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(allowed, name) {
			return fmt.Errorf("there is no parameter %q for %s: write one of %s", shorten(name), t.Kind, strings.Join(allowed, ", "))
		}
		if len(values[name]) > 1 || values.Get(name) == "" && name != "prefix" {
			return fmt.Errorf("the parameter %s takes one value", name)
		}
	}
	for name, can := range words {
		if values.Has(name) && !slices.Contains(can, values.Get(name)) {
			return fmt.Errorf("the parameter %s must be one of %s", name, strings.Join(can, ", "))
		}
	}
	t.Bucket = values.Get("bucket")
	if !bucketName.MatchString(t.Bucket) {
		return errors.New("the parameter bucket may have only letters, digits, - and _")
	}
	if text := values.Get("replicas"); text != "" {
		if t.Replicas, err = strconv.Atoi(text); err != nil || !slices.Contains([]int{1, 3, 5}, t.Replicas) {
			return errors.New("the parameter replicas must be 1, 3 or 5")
		}
	}
	t.Table, t.Schema, t.Prefix = values.Get("table"), values.Get("schema"), values.Get("prefix")
	if values.Has("prefix") && t.Prefix == "" {
		t.Prefix = NoPrefix
	}
	t.Columns = Columns{ID: values.Get(columns[0]), Data: values.Get(columns[1]), Expires: values.Get(columns[2])}
	t.OwnerColumn, t.TimeZone, t.Master = values.Get("owner-column"), values.Get("time-zone"), values.Get("master")
	if s.sentinel && t.Master == "" {
		return errors.New("the URL of sentinels needs the name of the master: add ?master=NAME with the name in their configuration (sentinel monitor NAME …)")
	}
	t.Notify = true
	for _, flag := range []string{"create", "notify", "sentinel-auth"} {
		if !values.Has(flag) {
			continue
		}
		on, err := strconv.ParseBool(values.Get(flag))
		if err != nil {
			return fmt.Errorf("the parameter %s must be true or false", flag)
		}
		switch flag {
		case "create":
			t.Create = &on
		case "notify":
			t.Notify = on
		default:
			t.SentinelAuth = on
		}
	}
	t.Driver = url.Values{}
	for _, name := range theirs[t.Kind] {
		if values.Has(name) {
			t.Driver[name] = values[name]
		}
	}
	if err := t.Columns.check(t.OwnerColumn); err != nil {
		return err
	}
	if err := t.layout(values.Get("layout"), express); err != nil {
		return err
	}
	return t.ttl(values.Get("ttl"))
}

// check refuses one column for two purposes.
func (c Columns) check(owner string) error {
	seen := map[string]string{}
	for i, name := range []string{c.ID, c.Data, c.Expires, owner} {
		if name == "" {
			continue
		}
		parameter := append(slices.Clone(columns), "owner-column")[i]
		if other, twice := seen[strings.ToLower(name)]; twice {
			return fmt.Errorf("the parameters %s and %s name the same column: change one of them", other, parameter)
		}
		seen[strings.ToLower(name)] = parameter
	}
	return nil
}

// layout determines the layout, and its parameters.
func (t *Target) layout(name string, express bool) error {
	t.Layout = layouts[t.Kind][0]
	if express && len(layouts[t.Kind]) == 1 {
		return fmt.Errorf("no npm package for express-session keeps sessions in %s: leave out --express, or choose another store", t.Kind)
	}
	if express {
		t.Layout = layouts[t.Kind][1]
	}
	if name != "" {
		t.Layout = Layout(name)
	}
	if !slices.Contains(layouts[t.Kind], t.Layout) {
		var names []string
		for _, l := range layouts[t.Kind] {
			names = append(names, string(l))
		}
		for kind, of := range layouts {
			if kind != t.Kind && slices.Contains(of, t.Layout) {
				return fmt.Errorf("layout=%s is one of %s: for %s write %s", t.Layout, kind, t.Kind, strings.Join(names, ", "))
			}
		}
		return fmt.Errorf("there is no layout %q: for %s write %s", shorten(name), t.Kind, strings.Join(names, ", "))
	}
	if express && t.Layout == Native {
		return errors.New("layout=native does not work with --express, because express-session cannot read it: leave out one of the two")
	}
	if t.OwnerColumn != "" && t.Layout == Native {
		return errors.New("owner-column is for the tables of npm packages: the native one always has a column for the owner")
	}
	if t.TimeZone != "" && t.Layout != PgSimple {
		return errors.New("time-zone is for layout=connect-pg-simple, whose column has no time zone")
	}
	return nil
}

// ttl reads how long sessions live that have no lifetime of their own.
func (t *Target) ttl(text string) error {
	if text == "" {
		return nil
	}
	var err error
	if t.TTL, err = time.ParseDuration(text); err != nil || t.TTL < time.Second || t.TTL%time.Second != 0 {
		return errors.New("the parameter ttl takes whole seconds, minutes and hours, such as 24h")
	}
	if t.Layout == Native {
		return errors.New("ttl is for the layouts of npm packages: in the native layout a session without an expiry never expires")
	}
	return nil
}

// shorten shortens a text of any length for an error.
func shorten(text string) string {
	if len(text) > 40 {
		return text[:40] + "…"
	}
	return text
}
