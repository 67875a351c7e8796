package document

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/nestsession/session/internal/jsontext"
	"github.com/nestsession/session/internal/sealed"
)

const (
	firstSecret  = "the first secret of these tests"
	secondSecret = "the second secret of these tests"
)

// sealing returns a codec in a mode.
func codecWith(t testing.TB, mode SealMode, secrets ...string) *Codec[account] {
	t.Helper()
	c, err := NewCodec[account](nil, false, Cookies{Parse: keepCookie}, 0)
	if err != nil {
		t.Fatal(err)
	}
	c.Seal = NewSealer(secrets, "scope", false, false)
	if err := c.Seal.SealData(mode, secrets); err != nil {
		t.Fatal(err)
	}
	return &c
}

// next composes the version that follows base, of the session with the given id.
func next(t testing.TB, c *Codec[account], base *Document[account], id string, visits int, as Opener) *Document[account] {
	t.Helper()
	value := account{Visits: visits}
	body, err := c.Encode(&value)
	if err != nil {
		t.Fatal(err)
	}
	d, err := c.Compose(base, RecordID("scope", id), &value, body, []byte(`{"path":"/"}`), nil, Lifetime{}, Meta{Created: 1}, as)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// open reads a stored version. It returns why the document is locked.
func open(t testing.TB, c *Codec[account], d *Document[account], with Opener) (*Document[account], error) {
	t.Helper()
	got, err := c.DecodeAt(c.Look(d.entry.Key), d.entry.Key, d.Data, 1, with)
	if err != nil {
		return nil, err
	}
	return got, got.Locked()
}

// sealedText is what stands in the store.
func sealedText(t testing.TB, d *Document[account]) string {
	t.Helper()
	var m Meta
	if text := jsontext.Find(d.Data, metaKey); m.parse(text) != len(text) || m.Sealed == "" {
		t.Fatalf("no sealed data in %s", d.Data)
	}
	return m.Sealed
}

// The data key stays while a session lives, also under a new id, and begins anew at a login.
// So a request goes on after a renewal; after a login the old id opens nothing, whatever
// records and secrets one has, and only who has loaded the old session can follow.
func TestAfterALoginTheOldIDOpensNothing(t *testing.T) {
	t.Parallel()
	c := codecWith(t, SealOnly, firstSecret)
	visitor := next(t, c, c.Empty, "one", 1, Opener{ID: "one"})
	inFlight, err := open(t, c, visitor, Opener{ID: "one"})
	if err != nil || inFlight.Value.Visits != 1 {
		t.Fatalf("%+v: %v", inFlight, err)
	}
	renewed := next(t, c, visitor, "two", 2, visitor.Opener("two"))
	for _, with := range []Opener{{ID: "two"}, inFlight.Opener(""), inFlight.Opener("one")} {
		if d, err := open(t, c, renewed, with); err != nil || d.Value.Visits != 2 {
			t.Errorf("renewed: %v", err)
		}
	}
	if _, err := open(t, c, renewed, Opener{ID: "one"}); !errors.Is(err, sealed.ErrOpen) {
		t.Errorf("the id from before the renewal opens the new record: %v", err)
	}
	user := next(t, c, renewed, "three", 3, renewed.Opener("three").WithNewKey())
	passed, err := c.Pass(renewed, user)
	if err != nil || passed == "" {
		t.Fatalf("%q: %v", passed, err)
	}
	pointer := &Meta{Successor: user.entry.Key, Login: true, Carry: true, Sealed: passed}
	for name, with := range map[string]Opener{
		"no id": {}, "the old id": {ID: "two"}, "an older id": {ID: "one"}, "the old data key": renewed.Opener(""),
		"the old id by the pointer": Opener{ID: "two"}.Follow(pointer), "another data key": visitor.Opener("").WithNewKey(),
	} {
		if d, err := open(t, c, user, with); err == nil {
			t.Errorf("%s opens the session of the login: %+v", name, d.Value)
		}
	}
	for name, with := range map[string]Opener{"the new id": {ID: "three"}, "a request in flight": inFlight.Opener("one").Follow(pointer)} {
		if d, err := open(t, c, user, with); err != nil || d.Value.Visits != 3 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if (inFlight.Opener("one").Follow(&Meta{Successor: "another", Sealed: passed}) != Opener{}) || (inFlight.Opener("").Follow(&Meta{Successor: user.entry.Key, Sealed: "!"}) != Opener{}) {
		t.Error("a data key is taken that was passed for another record")
	}
}

// A request that does not know the id keeps what is sealed as it is; a version that it loaded
// under another key is loaded again before it is written.
func TestSealingWithoutTheID(t *testing.T) {
	t.Parallel()
	c := codecWith(t, SealWrites, firstSecret)
	d := next(t, c, c.Empty, "one", 1, Opener{ID: "one"})
	again := next(t, c, d, "one", 2, d.Opener(""))
	if got, err := open(t, c, again, Opener{ID: "one"}); err != nil || got.Value.Visits != 2 {
		t.Errorf("written without the id: %v", err)
	}
	value := account{}
	for _, id := range []string{"", "one"} {
		if _, err := c.Compose(d, RecordID("scope", "two"), &value, nil, []byte(`{}`), nil, Lifetime{}, Meta{}, d.Opener(id)); !errors.Is(err, ErrMoved) {
			t.Errorf("with id %q: %v", id, err)
		}
	}
	readable := next(t, codecWith(t, SealOff, firstSecret), c.Empty, "one", 3, Opener{ID: "one"})
	if d, err := open(t, c, readable, Opener{ID: "one"}); err != nil || !d.Meta.Stale {
		t.Errorf("a readable document: %v", err)
	} else if left := next(t, c, d, "one", 4, Opener{}); left.seal != nil {
		t.Error("data are sealed for nobody")
	}
}

// What an old secret has wrapped is wrapped anew by who knows the id, and says so until then.
func TestAnOldSecretIsReplacedAtTheNextWrite(t *testing.T) {
	t.Parallel()
	before, both, after := codecWith(t, SealOnly, firstSecret), codecWith(t, SealOnly, secondSecret, firstSecret), codecWith(t, SealOnly, secondSecret)
	old := next(t, before, before.Empty, "one", 1, Opener{ID: "one"})
	d, err := open(t, both, old, Opener{ID: "one"})
	if err != nil || !d.Meta.Stale {
		t.Fatalf("%v, stale %v", err, d.Meta.Stale)
	}
	d, err = open(t, both, next(t, both, d, "one", 2, d.Opener("")), Opener{ID: "one"})
	if err != nil || !d.Meta.Stale {
		t.Fatalf("written without the id: %v, stale %v", err, d.Meta.Stale)
	}
	d, err = open(t, after, next(t, both, d, "one", 3, d.Opener("one")), Opener{ID: "one"})
	if err != nil || d.Meta.Stale || d.Value.Visits != 3 {
		t.Errorf("written with the id: %v", err)
	}
}

// Sealed bytes are bound to their record, for those too who have the secrets and can therefore
// authenticate any bookkeeping.
func TestSealedDataOfAnotherRecord(t *testing.T) {
	t.Parallel()
	c := codecWith(t, SealOnly, firstSecret)
	mine := next(t, c, c.Empty, "mine", 1, Opener{ID: "mine"})
	other := next(t, c, c.Empty, "other", 2, Opener{ID: "other"})
	forge := func(text string) *Document[account] {
		m := Meta{Created: 1, Sealed: text}
		return &Document[account]{entry: mine.entry, Data: Dataless([]byte(`{"path":"/"}`), m, c.Seal, mine.entry.Key)}
	}
	if _, err := open(t, c, forge(sealedText(t, mine)), Opener{ID: "mine"}); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(sealedText(t, mine))
	if err != nil {
		t.Fatal(err)
	}
	encoded := func(raw ...[]byte) string { return base64.RawURLEncoding.EncodeToString(slices.Concat(raw...)) }
	theirs, _ := base64.RawURLEncoding.DecodeString(sealedText(t, other))
	head := 1 + sealed.WrappedSize
	for name, text := range map[string]string{
		"another's":             encoded(theirs),
		"another's ciphertext":  encoded(raw[:head], theirs[head:]),
		"another's data key":    encoded(theirs[:head], raw[head:]),
		"torn":                  encoded(raw[:len(raw)-1]),
		"without ciphertext":    encoded(raw[:head]),
		"short":                 encoded(raw[:head-1]),
		"of another form":       encoded([]byte{sealVersion + 1}, raw[1:]),
		"one byte":              encoded(raw[:1]),
		"no base64":             "!" + encoded(raw),
		"padded":                encoded(raw) + "=",
		"more than was sealed":  encoded(raw, []byte{0}),
		"a changed last bit":    encoded(raw[:len(raw)-1], []byte{raw[len(raw)-1] ^ 1}),
		"a changed data key":    encoded(raw[:1], []byte{raw[1] ^ 1}, raw[2:]),
		"a ciphertext of zeros": encoded(raw[:head], make([]byte, len(raw)-head)),
	} {
		if d, err := open(t, c, forge(text), Opener{ID: "mine"}); !errors.Is(err, sealed.ErrOpen) {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
	mine.Data = other.Data
	if _, err := open(t, c, mine, Opener{ID: "mine"}); !errors.Is(err, errForged) {
		t.Errorf("another's document: %v", err)
	}
}

// Locked documents are never served to those who can open the record.
func TestALockedDocumentIsNotCached(t *testing.T) {
	t.Parallel()
	c := codecWith(t, SealWrites, firstSecret)
	c.SetCacheBytes(DefaultCacheBytes)
	d := next(t, c, c.Empty, "one", 1, Opener{ID: "one"})
	if _, err := open(t, c, d, Opener{}); !errors.Is(err, ErrSealed) {
		t.Errorf("without an id: %v", err)
	}
	if n, _ := c.Cached(); n != 0 {
		t.Errorf("%d documents are cached", n)
	}
	if got, err := open(t, c, d, Opener{ID: "one"}); err != nil || got.Value.Visits != 1 {
		t.Errorf("with the id: %v", err)
	}
	if n, bytes := c.Cached(); n != 1 || bytes < 2*len(d.Data) {
		t.Errorf("%d documents are cached, of %d bytes", n, bytes)
	}
}

// Data of 0 bytes, and such that the codec reads in more than one pass.
func TestUnusualDataAreSealed(t *testing.T) {
	t.Parallel()
	for _, members := range []string{``, `,"visits":2`, `,"visits":1,"visits":2`, `,"\u0076isits":2`, ` , "unknown" : {"a":[1.0]},"visits":2`, `,"visits":"text","roles":["x"]`, `,"user":null`} {
		c, readable := codecWith(t, SealWrites, firstSecret), codecWith(t, SealReads, firstSecret)
		want, err := readable.Read("key", []byte(`{"cookie":{"path":"/"}`+members+`}`))
		if err != nil {
			t.Fatal(err)
		}
		value := want.Value
		key := RecordID("scope", "one")
		d, err := c.Compose(want, key, &value, nil, []byte(`{"path":"/"}`), nil, Lifetime{}, Meta{Owner: "user:1"}, Opener{ID: "one"})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(d.Data), "visits") || strings.Contains(string(d.Data), "roles") {
			t.Errorf("stored: %s", d.Data)
		}
		got, err := open(t, readable, d, Opener{ID: "one"})
		if err != nil || got.Value.Visits != want.Value.Visits || len(got.Misfits) != len(want.Misfits) || got.Meta.Owner != "user:1" {
			t.Errorf("%s comes back as %+v: %v", members, got, err)
			continue
		}
		out, err := readable.Compose(got, key, &value, nil, []byte(`{"path":"/"}`), nil, Lifetime{}, Meta{}, Opener{})
		if err != nil || strings.ReplaceAll(string(out.Data), " ", "") != strings.ReplaceAll(`{"cookie":{"path":"/"}`+strings.Replace(members, `"visits":1,`, "", 1)+`}`, " ", "") {
			t.Errorf("%s is stored readable again as %s (%v)", members, out.Data, err)
		}
	}
}

// recorded is what stood in the store for the session with the id "one", when data were sealed
// for the first time. It is opened forever.
const recorded = "AQar4-W5m2AI5hJY2pPi4aRbdl9n4QctaI6wxSvU5gRfyCnsLhR-aanWg3IvzzbZVKw_QhKn3Wq5IbDdXoOXaMt-1BaD_Bq2a6l33zQZ_ivHx6a_N-CsaHNgwVGLjK3gMPKtPPJXUY37i4aBNd0E0vs"

func TestRecordedSealedDataAreOpened(t *testing.T) {
	t.Parallel()
	c := codecWith(t, SealWrites, firstSecret)
	key := RecordID("scope", "one")
	d, err := c.DecodeAt(c.Look(key), key, Dataless([]byte(`{"path":"/"}`), Meta{Sealed: recorded}, c.Seal, key), 1, Opener{ID: "one"})
	if err != nil || d.Locked() != nil || d.Value.Visits != 7 {
		t.Errorf("%+v: %v", d, err)
	}
}

// FuzzSealed: whatever stands in the store, reading it neither panics nor gives data, unless it
// is what was sealed.
func FuzzSealed(f *testing.F) {
	c := codecWith(f, SealWrites, firstSecret)
	key := RecordID("scope", "one")
	f.Add(recorded, "one")
	f.Add(recorded[:90], "one")
	f.Add("AQ", "")
	f.Add("", "two")
	f.Fuzz(func(t *testing.T, text, id string) {
		opens := id == "one" && sameBytes(text, recorded)
		s, err := c.Seal.open(key, text, Opener{ID: id})
		if opens != (err == nil) || opens && string(s.text) != sealPrefix+`,"visits":7,"roles":null}` {
			t.Errorf("%q with the id %q: %v", text, id, err)
		}
		data := Dataless([]byte(`{"path":"/"}`), Meta{Sealed: text}, c.Seal, key)
		if d, err := c.DecodeAt(c.Look(key), key, data, 1, Opener{ID: id}); err == nil && text != "" && opens != (d.Locked() == nil) {
			t.Errorf("%s is read as %+v: %v", data, d.Value, d.Locked())
		}
		k := sealed.NewKey()
		if (Opener{key: &k}.Follow(&Meta{Successor: key, Sealed: text}) != Opener{}) {
			t.Errorf("a data key is taken from %q", text)
		}
	})
}

// sameBytes reports whether two texts are the same in base64, which ignores ends of lines.
func sameBytes(a, b string) bool {
	x, err := base64.RawURLEncoding.DecodeString(a)
	y, _ := base64.RawURLEncoding.DecodeString(b)
	return err == nil && string(x) == string(y)
}

// Who cannot open the data may change the bookkeeping, and the data stay what they are.
func TestALockedDocumentIsRewrittenWithItsSealedData(t *testing.T) {
	t.Parallel()
	c := codecWith(t, SealOnly, firstSecret)
	d := next(t, c, c.Empty, "one", 1, Opener{ID: "one"})
	locked, err := c.Read(d.entry.Key, d.Data)
	if err != nil || !errors.Is(locked.Locked(), ErrSealed) {
		t.Fatalf("%v, %v", err, locked.Locked())
	}
	if again, err := c.Rewrite(locked, nil); err != nil || string(again) != string(d.Data) {
		t.Errorf("%s is rewritten as %s: %v", d.Data, again, err)
	}
	if next, err := c.Change(func(a *account) { a.Visits++ })(locked); next != nil || !errors.Is(err, ErrSealed) {
		t.Errorf("changed to %s: %v", next, err)
	}
}
