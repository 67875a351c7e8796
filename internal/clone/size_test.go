package clone

import (
	"encoding/json"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// What is counted for a value is about what it takes, measured by making many.
func TestSizeIsAboutWhatAValueTakes(t *testing.T) { // not parallel: it looks at the heap
	type user struct {
		ID                 int
		Name, Email, Since string
	}
	type nested struct {
		User  *user
		Roles []string
		Next  *nested
		Marks []user
	}
	sizeOf[nested](t, `{"User":{"ID":1,"Name":"Ann Example","Email":"a@example.com","Since":"2026-01-01T00:00:00Z"},"Roles":["member","editor","audit"]}`)
	sizeOf[nested](t, `{"Marks":[`+strings.TrimSuffix(strings.Repeat(`{},`, 500), ",")+`]}`)
	sizeOf[nested](t, `{"Next":{"Next":{"Next":{"User":{}}}}}`)
	sizeOf[map[string]any](t, `{"a":1,"b":"text of some length, so that it counts","c":[1,2,3,{"d":null}],"e":{"f":true}}`)
	sizeOf[map[string]int](t, `{`+strings.Repeat(`"k":1,`, 3)+`"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":10,"l":11,"m":12,"n":13,"o":14,"p":15,"q":16}`)
	sizeOf[struct{ Text string }](t, `{"Text":"`+strings.Repeat("x", 5000)+`"}`)
	sizeOf[struct{ Bytes []byte }](t, `{"Bytes":"`+strings.Repeat("AAAA", 500)+`"}`)
	sizeOf[struct{ List []any }](t, `{"List":[`+strings.Repeat("1.5,", 300)+`1]}`)
}

func sizeOf[T any](t *testing.T, text string) {
	t.Helper()
	c := Compile(reflect.TypeFor[T]())
	const many = 2000
	values := make([]*T, many)
	before := heapOf()
	for i := range values {
		values[i] = new(T)
		if err := json.Unmarshal([]byte(text), values[i]); err != nil {
			t.Fatal(err)
		}
	}
	takes := (heapOf() - before) / many
	counted := c.Size(reflect.ValueOf(values[0]).Elem(), len(text))
	if ratio := float64(counted) / float64(takes); ratio < 0.7 || ratio > 1.5 {
		t.Errorf("%.60s takes %d bytes, %d are counted", text, takes, counted)
	}
	runtime.KeepAlive(values)
}

func heapOf() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
