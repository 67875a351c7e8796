package document_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/internal/document"
)

type (
	account  struct{ User string }
	embedded struct {
		ID   int    `json:"id"`
		Note string `json:"note,omitempty"`
	}
	cookied struct {
		C int `json:"cookie"`
	}
	booked struct {
		C int `json:"__nestsession"`
	}
	inner struct {
		Cookie int `json:"cookie"`
	}
	embedsBad struct{ inner }
	text      string

	secretive struct {
		//lint:ignore U1000 NewCodec looks at it by reflection
		token string
	}
	partly struct {
		Name string
		//lint:ignore U1000 NewCodec looks at it by reflection
		token string
	}
	stamped struct { // whose encoding is the time's alone
		time.Time
		Note string
	}
	holdsStamped struct{ At stamped }
	twoNames     struct {
		A string `json:"B"`
		B string
	}
	twoCases struct {
		A string `json:"user"`
		B string `json:"User"`
	}
	kelvin struct {
		A string `json:"k"`
		B string `json:"\u212a"`
	}
	Left    struct{ ID int }
	Right   struct{ ID int }
	bothIDs struct {
		Left
		Right
	}
	hidesID struct {
		Left
		ID string
	}
	unexportedPointer struct {
		*embedded
		Name string
	}
	//lint:ignore U1000 NewCodec looks at it by reflection
	namedText  string
	hiddenText struct {
		//lint:ignore U1000 NewCodec looks at it by reflection
		namedText
		Name string
	}
	color int // encodes itself, and does not decode itself
)

func (c color) MarshalText() ([]byte, error) { return []byte("red"), nil }

// number is encoded by hand as something else than an object.
type number struct{}

func (number) MarshalJSON() ([]byte, error) { return []byte("7"), nil }

// newCodec makes the codec of a manager without options.
func newCodec[T any]() (document.Codec[T], error) {
	return document.NewCodec[T](nil, false, document.Cookies{Parse: func([]byte) (any, document.Lifetime, document.Instant, error) {
		return nil, document.Lifetime{}, 0, nil
	}}, document.DefaultCacheBytes)
}

func refused[T any](t *testing.T, advice string) {
	t.Helper()
	_, err := newCodec[T]()
	if err == nil {
		t.Errorf("%v is accepted", reflect.TypeFor[T]())
		return
	}
	if got := err.Error(); !strings.HasPrefix(got, "session: New[") || !strings.Contains(got, advice) {
		t.Errorf("%v: %q, want the advice %q", reflect.TypeFor[T](), got, advice)
	}
}

// Types that are no JSON object, or that have parts without a form in JSON.
func TestTypesThatCannotBeStored(t *testing.T) {
	t.Parallel()
	refused[*account](t, "write New[document_test.account]")
	refused[**account](t, "write a struct")
	refused[*map[string]any](t, "write a struct")
	refused[[]string](t, "write a struct")
	refused[string](t, "write a struct")
	refused[text](t, "write a struct")
	refused[int](t, "write a struct")
	refused[any](t, "write a struct")
	refused[error](t, "write a struct")
	refused[json.Marshaler](t, "write a struct")
	refused[func()](t, "write a struct")
	refused[chan int](t, "write a struct")
	refused[[2]int](t, "write a struct")
	refused[map[int]string](t, "write a struct")
	refused[map[string]chan int](t, "chan int")
	refused[struct{ C chan int }](t, "chan int")
	refused[struct{ F func() }](t, "func()")
	refused[struct{ C []complex128 }](t, "complex128")
	refused[struct{ P *struct{ F func() } }](t, "func()")
	refused[number](t, "something else than an object")
	refused[time.Time](t, "something else than an object")
	refused[cookied](t, `"cookie"`)
	refused[booked](t, `"__nestsession"`)
	refused[embedsBad](t, `"cookie"`)
}

// Types whose values would not come back as they went in.
func TestTypesThatCannotComeBack(t *testing.T) {
	t.Parallel()
	refused[secretive](t, "token")
	refused[partly](t, "json:\"-\"")
	refused[struct{ P []partly }](t, "P.token")
	refused[map[string]partly](t, "token")
	refused[holdsStamped](t, "Time")
	refused[twoNames](t, "one name")
	refused[twoCases](t, "one name")
	refused[kelvin](t, "one name")
	refused[bothIDs](t, "Left.ID")
	refused[hidesID](t, "Left.ID")
	refused[unexportedPointer](t, "embedded")
	refused[hiddenText](t, "namedText")
	refused[struct{ E error }](t, "interface")
	refused[struct{ M map[string]fmt.Stringer }](t, "interface")
	refused[struct{ M map[float64]int }](t, "keys")
	refused[struct{ P *struct{ M map[any]int } }](t, "keys")
	refused[struct{ C color }](t, "read back")
}

func TestAFieldWithAReservedKeyIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := newCodec[cookied](); !errors.Is(err, document.ErrReservedKey) {
		t.Errorf("%v", err)
	}
}
