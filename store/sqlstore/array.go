package sqlstore

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// Lists of values are sent as one text, which every driver can send: PostgreSQL reads it
// as an array, and SQLite as JSON.

// plain reports whether an id needs no escaping in a list. Generated ids are plain.
func plain(id string) bool {
	for _, c := range []byte(id) {
		if c < '!' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// textArray encodes plain ids as PostgreSQL's text[].
func textArray(ids []string) string {
	return "{" + join(ids, func(b *strings.Builder, id string) { quoted(b, id) }) + "}"
}

// byteas encodes PostgreSQL's bytea[].
func byteas[T string | []byte](all []T) string {
	return "{" + join(all, func(b *strings.Builder, v T) {
		b.WriteString(`"\\x`)
		var buf [256]byte
		for rest := []byte(v); len(rest) > 0; {
			n := min(len(rest), len(buf)/2)
			b.Write(buf[:hex.Encode(buf[:], rest[:n])])
			rest = rest[n:]
		}
		b.WriteByte('"')
	}) + "}"
}

// bigints encodes PostgreSQL's bigint[].
func bigints(all []int64) string {
	return "{" + join(all, func(b *strings.Builder, v int64) {
		var buf [20]byte
		b.Write(strconv.AppendInt(buf[:0], v, 10))
	}) + "}"
}

func quoted(b *strings.Builder, text string) {
	b.WriteByte('"')
	b.WriteString(text)
	b.WriteByte('"')
}

// join writes the values with commas between them.
func join[T any](all []T, write func(b *strings.Builder, v T)) string {
	var b strings.Builder
	for i, v := range all {
		if i > 0 {
			b.WriteByte(',')
		}
		write(&b, v)
	}
	return b.String()
}
