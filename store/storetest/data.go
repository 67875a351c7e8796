package storetest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
)

var dataCases = []testCase{
	rule("ByteForByte", "a Store must return a JSON document byte for byte, whatever its formatting",
		func(ctx context.Context, e *env) error {
			return e.keepData(ctx,
				`{}`, `null`, `[1, 2]`,
				" {\n\t\"b\" : 1,\r\n \"a\" : 2 } ", // neither compacted nor sorted
				`{"a":1,"a":2}`, `{"n":1.0,"m":1e2,"big":12345678901234567890123}`,
				`{"s":"\u0041\/\ud83c\udf6a \u0000 \ud800"}`, // escapes stay escapes
				`{"s":"세션 🍪 'quote' \"quote\" %s ? $1 \\ <>&"}`,
				"{\"s\":\"\u00e9 e\u0301 \u2028 \ufeff\"}") // not normalised
		}),

	rule("Large", "a Store must keep a document of a mebibyte",
		func(ctx context.Context, e *env) error {
			return e.keepData(ctx, `{"s":"`+strings.Repeat("0123456789abcdef", 1<<16)+`"}`)
		}),

	rule("Empty", "a Store must keep a record without data",
		func(ctx context.Context, e *env) error {
			r := e.record()
			r.Data = nil
			r, err := create(ctx, e.Store, r)
			if err != nil {
				return err
			}
			return first(e.holds(ctx, e.Store, r), e.keepData(ctx, ""))
		}).only(AnyBytes),

	rule("Binary", "a Store must keep any bytes",
		func(ctx context.Context, e *env) error {
			var all []byte
			for i := range 256 {
				all = append(all, byte(i))
			}
			return e.keepData(ctx, string(all), "\x00", "\xff\xfe", "a\x00b", "\xc3\x28", "tail \r\n")
		}).only(AnyBytes),

	rule("NotShared", "a Store must not change the data that Load has returned when other data is written",
		func(ctx context.Context, e *env) error {
			r, err := create(ctx, e.Store, e.record())
			if err != nil {
				return err
			}
			loaded, err := e.Store.Load(ctx, r.ID)
			if err != nil {
				return fmt.Errorf("Load: %w", err)
			}
			before := bytes.Clone(loaded.Data)
			r.Data = bytes.ToUpper(before)
			if r.Version, err = e.Store.Update(ctx, r); err != nil {
				return fmt.Errorf("Update: %w", err)
			}
			if err := first(e.holds(ctx, e.Store, r), e.Store.Delete(ctx, r.ID)); err != nil {
				return err
			}
			r.Data = bytes.ToTitle(before)
			if _, err := create(ctx, e.Store, r); err != nil {
				return err
			}
			if !bytes.Equal(loaded.Data, before) {
				return fmt.Errorf("loaded data became %s, was %s", excerpt(loaded.Data), excerpt(before))
			}
			return nil
		}),
}

// keepData puts each document through Create and through Update.
func (e *env) keepData(ctx context.Context, documents ...string) error {
	for _, d := range documents {
		r := e.record()
		r.Data = []byte(d)
		r, err := create(ctx, e.Store, r)
		if err != nil {
			return fmt.Errorf("data %s: %w", excerpt(r.Data), err)
		}
		if err := e.holds(ctx, e.Store, r); err != nil {
			return err
		}
		other, err := create(ctx, e.Store, e.record())
		if err != nil {
			return err
		}
		other.Data = r.Data
		if other.Version, err = e.Store.Update(ctx, other); err != nil {
			return fmt.Errorf("Update: %w", err)
		}
		if err := e.holds(ctx, e.Store, other); err != nil {
			return err
		}
	}
	return nil
}
