package cli

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersionOf(t *testing.T) {
	t.Parallel()
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "43ff83c"}
	for want, info := range map[string]*debug.BuildInfo{
		"v0.1.0":                       {Main: debug.Module{Version: "v0.1.0"}},
		"(devel)":                      {Main: debug.Module{Version: "(devel)"}},
		"(devel) 43ff83c":              {Main: debug.Module{Version: "v0.0.0-20261127000000-43ff83c"}, Settings: []debug.BuildSetting{revision}},
		"(devel) 43ff83c with changes": {Settings: []debug.BuildSetting{revision, {Key: "vcs.modified", Value: "true"}}},
	} {
		if got := versionOf(info); got != want {
			t.Errorf("%+v: %q, want %q", info, got, want)
		}
	}
	for _, info := range []*debug.BuildInfo{nil, {}} {
		if got := versionOf(info); got != "(devel)" {
			t.Errorf("%+v: %q", info, got)
		}
	}
}

func TestVersionCommand(t *testing.T) {
	t.Parallel()
	var out, errs strings.Builder
	status := Run(t.Context(), []string{"version"}, strings.NewReader(""), &out, &errs)
	if status != exitOK || !strings.HasPrefix(out.String(), "nestsession ") || strings.Count(out.String(), "\n") != 1 || errs.Len() > 0 {
		t.Errorf("status %d: %q, %q", status, out.String(), errs.String())
	}
}
