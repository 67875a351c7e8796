package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestReportCounts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		strict bool
		events string
		want   count
		shown  string
	}{
		{
			name: "passed",
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"noise\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Elapsed":1}`,
			want: count{Passed: 1}, shown: "p  1 passed, 0 failed",
		},
		{
			name: "failed, with its output",
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"the reason\n"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`,
			want: count{Failed: 1}, shown: "the reason",
		},
		{
			name: "a panic fails what was running",
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestB"}
{"Action":"output","Package":"p","Test":"TestB","Output":"panic: boom\n"}
{"Action":"fail","Package":"p"}`,
			want: count{Passed: 1, Failed: 1}, shown: "panic: boom",
		},
		{
			name: "does not build",
			events: `{"ImportPath":"p [p.test]","Action":"build-output","Output":"x.go:1: undefined: y\n"}
{"ImportPath":"p [p.test]","Action":"build-fail"}
{"Action":"start","Package":"p"}
{"Action":"fail","Package":"p","FailedBuild":"p [p.test]"}`,
			want: count{Failed: 1}, shown: "undefined: y",
		},
		{
			name:   "the process was killed",
			events: `{"Action":"run","Package":"p","Test":"TestA"}`,
			want:   count{Failed: 1}, shown: "did not end",
		},
		{
			name: "a skip is not a pass",
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}`,
			want: count{Skipped: 1}, shown: "SKIP  p TestA",
		},
		{
			name: "in CI a skip is a failure", strict: true,
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}`,
			want: count{Failed: 1}, shown: "skipped itself",
		},
		{
			name:   "a package without tests counts nothing",
			events: `{"Action":"skip","Package":"p"}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			r := newReport(newPulse(&out), module{folder: "m"}, test.strict)
			if err := r.read(strings.NewReader(test.events)); err != nil {
				t.Fatal(err)
			}
			if got := r.finish().count; got != test.want {
				t.Errorf("counted %+v, want %+v", got, test.want)
			}
			if !strings.Contains(out.String(), test.shown) {
				t.Errorf("printed %q, want %q in it", out.String(), test.shown)
			}
		})
	}
}
