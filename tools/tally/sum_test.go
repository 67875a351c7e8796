package main

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The end of a run: what failed, how to repeat it, and then only the count.
func TestSum(t *testing.T) {
	t.Parallel()
	b := book{path: filepath.Join(t.TempDir(), "book")}
	for _, e := range []entry{
		{Label: "module a", count: count{Passed: 3, Failed: 1, Skipped: 1}, Failures: []failure{
			{What: "example.com/a TestX/sub", Where: "a", Why: "data race", Again: "(cd a && GOWORK=off go test -race -run '^TestX$/^sub$' .)"},
		}},
		{Label: "gofmt", count: count{Failed: 1}, Failures: []failure{{What: "gofmt", Again: "gofmt -l ."}}},
		{Label: "go vet", count: count{Passed: 1}},
	} {
		if err := b.add(e); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	ok, err := b.sum(&out)
	const want = `failed: example.com/a TestX/sub, module a: data race
        (cd a && GOWORK=off go test -race -run '^TestX$/^sub$' .)
failed: gofmt
        gofmt -l .
4 passed, 2 failed, 1 skipped
`
	if ok || err != nil || out.String() != want {
		t.Errorf("%v, %v\n%s\nwant\n%s", ok, err, out.String(), want)
	}
}

// An empty count is a failure; if all passed, it is not.
func TestSumOfLittle(t *testing.T) {
	t.Parallel()
	for want, entries := range map[string][]entry{
		"0 passed, 1 failed\n": {{Label: "module without tests"}},
		"2 passed, 0 failed\n": {{count: count{Passed: 2}}},
	} {
		b := book{path: filepath.Join(t.TempDir(), "book")}
		for _, e := range entries {
			if err := b.add(e); err != nil {
				t.Fatal(err)
			}
		}
		var out strings.Builder
		if ok, err := b.sum(&out); err != nil || out.String() != want || ok != (want[0] == '2') {
			t.Errorf("%v, %v, %q; want %q", ok, err, out.String(), want)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if e := runCheck(newPulse(&out), "fine", []string{"sh", "-c", "echo noise"}); e.count != (count{Passed: 1}) || strings.Contains(out.String(), "noise") {
		t.Errorf("%+v\n%s", e, out.String())
	}
	e := runCheck(newPulse(&out), "bad", []string{"sh", "-c", "printf 'the reason'; exit 3"})
	if e.count != (count{Failed: 1}) || e.Failures[0].Again != `sh -c 'printf '\''the reason'\''; exit 3'` || !strings.HasSuffix(out.String(), "the reason\n") {
		t.Errorf("%+v\n%s", e, out.String())
	}
}

// TestNothingIsSilent: while tests run or are built, there is a line at least every 20
// seconds, with or without events.
func TestNothingIsSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out stamped
		r := newReport(newPulse(&out), module{folder: "m", path: "example.com"}, false)
		events, to := io.Pipe()
		go func() {
			time.Sleep(time.Minute) // while it is built
			for _, e := range []string{
				`{"Action":"start","Package":"example.com/p"}`,
				`{"Action":"run","Package":"example.com/p","Test":"TestLong"}`,
				`{"Action":"run","Package":"example.com/p","Test":"TestLong/within"}`,
				`{"Action":"run","Package":"example.com/p","Test":"TestWaits"}`,
				`{"Action":"pause","Package":"example.com/p","Test":"TestWaits"}`,
			} {
				fmt.Fprintln(to, e)
			}
			time.Sleep(time.Minute)
			for range 600 { // a test with much output, which is not shown
				fmt.Fprintln(to, `{"Action":"output","Package":"example.com/p","Test":"TestLong/within","Output":"noise\n"}`)
				time.Sleep(100 * time.Millisecond)
			}
			fmt.Fprintln(to, `{"Action":"pass","Package":"example.com/p","Test":"TestLong/within"}`)
			fmt.Fprintln(to, `{"Action":"pass","Package":"example.com/p","Test":"TestLong"}`)
			time.Sleep(time.Minute)
			to.Close()
		}()
		if err := r.read(events); err != nil {
			t.Fatal(err)
		}
		out.at = append(out.at, time.Now())
		last := r.w.began
		for _, at := range out.at {
			if at.Sub(last) >= 20*time.Second {
				t.Errorf("nothing was said for %v", at.Sub(last))
			}
			last = at
		}
		for _, line := range []string{"0 done: building the tests\n", "0 done: ./p TestLong/within for 1m0s\n", "2 done: between tests of ./p\n"} {
			if !strings.Contains(out.text.String(), line) {
				t.Errorf("never said %q:\n%s", line, out.text.String())
			}
		}
	})
}

// stamped records the time of each write.
type stamped struct {
	text strings.Builder
	at   []time.Time
}

func (s *stamped) Write(text []byte) (int, error) {
	s.at = append(s.at, time.Now())
	return s.text.Write(text)
}

// The progress line of a check names it.
func TestCheckIsNotSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out stamped
		done := make(chan error, 1)
		w := newPulse(&out)
		go func() { time.Sleep(time.Minute); done <- nil }()
		during(w, done, func() string { return fmt.Sprintf("go vet, %v", w.ran()) })
		if n := strings.Count(out.text.String(), "....  go vet, "); n < 4 {
			t.Errorf("%d lines in a minute:\n%s", n, out.text.String())
		}
	})
}
