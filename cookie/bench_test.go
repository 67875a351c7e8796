package cookie_test

import (
	"testing"
	"time"

	"github.com/nestsession/session/cookie"
)

const benchID = "yEJuev_jr832nTYHocLvRjtatjdmBImG"

func BenchmarkLookup(b *testing.B) {
	value := string(newSigner(b, "keyboard").AppendValue(nil, benchID))
	for _, c := range []struct {
		name  string
		lines []string
	}{
		{"alone", []string{"__Host-sid=" + value}},
		{"typical", []string{"_ga=GA1.1.1234567890.1700000000; theme=dark; __Host-sid=" + value}},
		{"absent", []string{"_ga=GA1.1.1234567890.1700000000; theme=dark; lang=en-GB"}},
		{"http2", []string{"_ga=GA1.1.1234567890.1700000000", "theme=dark", "__Host-sid=" + value}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				cookie.Lookup(c.lines, "__Host-sid")
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, c := range []struct {
		name    string
		secrets []string
		id      string
	}{
		{"one", []string{"keyboard"}, benchID},
		{"rotated", []string{"new", "keyboard"}, benchID},
		{"escaped", []string{"keyboard"}, "user/" + benchID},
	} {
		b.Run(c.name, func(b *testing.B) {
			value := string(newSigner(b, "keyboard").AppendValue(nil, c.id))
			s := newSigner(b, c.secrets...)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := s.Verify(value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerifyRefused(b *testing.B) {
	s := newSigner(b, "keyboard")
	value := string(newSigner(b, "other").AppendValue(nil, benchID))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := s.Verify(value); err == nil {
			b.Fatal("accepted")
		}
	}
}

func BenchmarkVerifyParallel(b *testing.B) {
	s := newSigner(b, "keyboard")
	value := string(s.AppendValue(nil, benchID))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, _, err := s.Verify(value); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAppendValue(b *testing.B) {
	s := newSigner(b, "keyboard")
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = s.AppendValue(buf[:0], benchID)
	}
}

func BenchmarkAppend(b *testing.B) {
	value := string(newSigner(b, "keyboard").AppendValue(nil, benchID))
	a := &cookie.Attributes{
		Path: "/", HTTPOnly: true, Secure: true, SameSite: cookie.SameSiteLax,
		Expires: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = cookie.Append(buf[:0], "__Host-sid", value, a)
	}
}

func newSigner(t testing.TB, secrets ...string) *cookie.Signer {
	t.Helper()
	s, err := cookie.NewSigner(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
