package scenario

import (
	"encoding/json"
	"fmt"
	"time"
)

// CookieOptions are the settings of a cookie in their order, as the options of a layer or as a
// handler assigns them.
type CookieOptions []CookieOption

// CookieOption is one setting: path, domain, maxAge, expires, httpOnly, secure,
// sameSite, partitioned or priority.
type CookieOption struct {
	Name  string
	Value any // string, bool, float64 (of maxAge, in ms), *Date (of expires), or nil for null
}

// Date is an expiry: a duration after a time that the context defines, or a text that is read as a
// date.
type Date struct {
	In *float64 // ms
	At string
}

// The types that the settings may have in JSON, besides null.
var cookieTypes = map[string]func(any) bool{
	"path":        isText,
	"domain":      isText,
	"maxAge":      func(v any) bool { _, ok := v.(float64); return ok || v == false },
	"expires":     func(v any) bool { _, ok := v.(*Date); return ok || v == false },
	"httpOnly":    isBool,
	"secure":      func(v any) bool { return isBool(v) || v == "auto" },
	"sameSite":    func(v any) bool { return isBool(v) || isText(v) },
	"partitioned": isBool,
	"priority":    isText,
}

func isText(v any) bool { _, ok := v.(string); return ok }
func isBool(v any) bool { _, ok := v.(bool); return ok }

// UnmarshalJSON reads cookie options.
func (c *CookieOptions) UnmarshalJSON(text []byte) error {
	var all Object
	if err := all.UnmarshalJSON(text); err != nil {
		return err
	}
	*c = CookieOptions{}
	for _, m := range all {
		fits, known := cookieTypes[m.Key]
		if !known {
			return fmt.Errorf("unknown member %q", m.Key)
		}
		value, err := readSetting(m.Value)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Key, err)
		}
		if value != nil && !fits(value) {
			return fmt.Errorf("%s cannot be %s", m.Key, m.Value)
		}
		*c = append(*c, CookieOption{m.Key, value})
	}
	return nil
}

// Get returns the value of a setting; nil if it is missing.
func (c CookieOptions) Get(name string) any {
	for _, o := range c {
		if o.Name == name {
			return o.Value
		}
	}
	return nil
}

func readSetting(text json.RawMessage) (any, error) {
	if text[0] == '{' {
		d := new(Date)
		var all Object
		err := all.UnmarshalJSON(text)
		if err == nil {
			err = all.read(fields{"in": &d.In, "at": &d.At})
		}
		if err == nil && len(all) != 1 {
			err = fmt.Errorf("a date has one of in and at")
		}
		return d, err
	}
	var v any
	err := strict(text, &v)
	return v, err
}

// Time returns the date as JavaScript reads it, counted from now if it is relative; false if the
// text is not a date.
func (d *Date) Time(now time.Time) (time.Time, bool) {
	if d.In != nil {
		return now.Add(Milliseconds(*d.In)), true
	}
	return ParseDate(d.At)
}

// The forms of ECMA-262's date-time text, which JSON contains. A date without an offset is in UTC.
// A time without one would be in the machine's time zone, which no scenario can mean.
var dateForms = []string{
	time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01", "2006",
	time.RFC1123, // of toUTCString, which JavaScript reads as well
}

// ParseDate reads a date of JSON to the millisecond.
func ParseDate(text string) (time.Time, bool) {
	for _, form := range dateForms {
		if t, err := time.Parse(form, text); err == nil {
			return time.UnixMilli(t.UnixMilli()), true
		}
	}
	return time.Time{}, false
}

// Milliseconds converts a number of milliseconds, as JavaScript has it, to a duration.
func Milliseconds(ms float64) time.Duration {
	return time.Duration(ms * float64(time.Millisecond))
}
